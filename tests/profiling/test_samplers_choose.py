"""Which sampler is taken, why not a better one, two samplers as one, and bursts."""

import math
import signal
import threading
import time

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.profile import Frame, frames
from runtime_exporter.profiling.samplers import choose as module
from runtime_exporter.profiling.samplers.capture import capture
from runtime_exporter.profiling.samplers.choose import ORDER, SELF_TESTS, choose
from runtime_exporter.profiling.samplers.chosen import ChosenSampler, combined
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.sampler import ENDED, NOT_SAMPLED, OWN, Capabilities, Usage, Window
from runtime_exporter.profiling.samplers.signal import MAIN_GROUP, SignalSampler
from runtime_exporter.profiling.samplers.tally import split
from runtime_exporter.profiling.samplers.thread import ThreadSampler
from tools import needs_gil, wait_for

A, B = (Frame("app:a"),), (Frame("app:b"),)


def burn(cpu_seconds):
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        sum(range(500))


def passing():
    pass


def failing(reason):
    def test():
        raise ProfileError(reason)

    return test


def self_tests(*failures):
    return {name: failing(f"{name} does not work") if name in failures else passing for name in ORDER}


@pytest.mark.parametrize("place", range(len(ORDER)))
def test_the_first_that_works_is_taken_and_of_the_others_the_reason_is_kept(place):
    sampler = choose(tests=self_tests(*ORDER[:place]))
    assert ORDER[place] == sampler.name
    assert {name: f"{name} does not work" for name in ORDER[:place]} == sampler.passed_over


def test_when_none_works_every_reason_is_told():
    with pytest.raises(ProfileError) as caught:
        choose(tests=self_tests(*ORDER))
    reasons = "; ".join(f"{name}: {name} does not work" for name in ORDER)
    assert f"no sampler works here: {reasons}" == str(caught.value)


def test_a_name_that_is_none_is_refused_with_the_nearest():
    with pytest.raises(ProfileError, match=r"there is no sampler 'pyspy'.*py-spy"):
        choose(("pyspy",))


@needs_gil
@pytest.mark.parametrize(
    ("name", "unbiased", "measures"),
    [
        ("remote", True, {"cpu", "wall"}),
        ("py-spy", True, {"cpu", "wall"}),
        ("signal", True, {"cpu", "wall"}),
        ("thread", False, {"cpu", "wall"}),
    ],
)
def test_each_choice_measures_cpu_and_wall_for_all_threads(name, unbiased, measures):
    assert (
        Capabilities(unbiased, threads=True, measures=frozenset(measures))
        == choose((name,), tests=self_tests()).capabilities
    )


def test_without_wall_there_is_no_second_sampler():
    assert frozenset({"cpu"}) == choose(("signal",), tests=self_tests(), wall=False).capabilities.measures


def test_without_a_gil_nothing_reads_frames_in_this_process(monkeypatch):
    monkeypatch.setattr(module, "gil_enabled", lambda: False)
    with pytest.raises(ProfileError, match="GIL"):
        SELF_TESTS["thread"]()
    assert None is choose(("py-spy",), tests=self_tests()).waiting


@needs_gil
def test_the_signal_is_passed_over_where_somebody_handles_it():
    before = signal.signal(signal.SIGPROF, lambda *_: None)
    try:
        sampler = choose(("signal", "thread"))
        assert ("thread", {"signal": "SIGPROF is handled by somebody else"}) == (sampler.name, sampler.passed_over)
    finally:
        signal.signal(signal.SIGPROF, before)


@needs_gil
def test_the_signal_is_passed_over_on_another_thread():
    chosen = []
    thread = threading.Thread(target=lambda: chosen.append(choose(("signal", "thread"))))
    thread.start()
    thread.join()
    assert "thread" == chosen[0].name
    assert "main thread only" in chosen[0].passed_over["signal"]


def test_of_a_backend_that_sees_all_threads_all_cpu_is_taken_and_wall_from_the_other():
    seen = Window({("w", A): Usage(4, 40, 0)}, 0, 1, samples=4, helper_cpu_ns=7)
    waiting = Window(
        {("w", A): Usage(10, 1, 100), ("w", B): Usage(10, 9, 100)}, 0, 1, samples=20, bias_ratio=1.0, own_cpu_ns=3
    )
    window = combined(seen, waiting, threads=True)
    assert {("w", A): (14, 40, 100), ("w", B): (10, 0, 100)} == window.stacks
    assert (0.0, 3, 7) == (window.bias_ratio, window.own_cpu_ns, window.helper_cpu_ns)


def test_of_a_backend_that_sees_the_main_thread_its_cpu_is_taken_and_the_others_from_the_other():
    seen = Window(
        {("MainThread", A): Usage(4, 60, 0), ("w", NOT_SAMPLED): Usage(0, 38, 0), ("ended", ENDED): Usage(0, 9, 0)},
        0,
        1,
    )
    waiting = Window(
        {("MainThread", B): Usage(10, 57, 100), ("w", B): Usage(10, 40, 100), ("runtime-exporter", OWN): Usage(0, 0, 0)}, 0, 1, bias_ratio=0.5
    )  # fmt: skip
    window = combined(seen, waiting, threads=False)
    assert {
        ("MainThread", A): (4, 60, 0),
        ("MainThread", B): (10, 0, 100),
        ("w", B): (10, 40, 100),
        ("runtime-exporter", OWN): (0, 0, 0),
    } == window.stacks
    assert math.isclose(0.5 * 40 / 100, window.bias_ratio)


class Recorder:
    """A sampler that notes what is done with it."""

    name = "recorder"
    capabilities = Capabilities(unbiased=True, threads=True, measures=frozenset({"cpu"}))

    def __init__(self, error=None):
        self.calls = []
        self.error = error

    def start(self):
        self.calls.append("start")
        if self.error:
            raise self.error

    def close(self):
        self.calls.append("close")

    def take(self):
        self.calls.append("take")
        return Window({}, 0, 1)

    def forked(self):
        self.calls.append("forked")

    shortest = 0.0

    def afford(self, budget):
        self.budget = budget

    def tend(self):
        self.calls.append("tend")


def test_both_are_started_taken_from_told_of_a_fork_and_closed():
    one, other = Recorder(), Recorder()
    sampler = ChosenSampler(one, other, {})
    sampler.start()
    sampler.take()
    sampler.forked()
    sampler.close()
    assert ["start", "take", "forked", "close"] == one.calls == other.calls


def test_what_this_process_may_use_is_divided_between_both():
    one, other = Recorder(), Recorder()
    ChosenSampler(one, other, {}).afford(0.01)
    assert (0.005, 0.005) == (one.budget, other.budget)


def test_a_sampler_without_one_of_those_that_wait_has_all_of_it():
    alone = Recorder()
    ChosenSampler(alone, None, {}).afford(0.01)
    assert 0.01 == alone.budget


def test_when_waiting_cannot_be_watched_cpu_still_is():
    one = Recorder()
    sampler = ChosenSampler(one, Recorder(ProfileError("no GIL")), {})
    sampler.start()
    sampler.take()
    assert ["start", "take"] == one.calls
    assert frozenset({"cpu"}) == sampler.capabilities.measures


def test_when_the_backend_cannot_be_started_nothing_runs():
    other = Recorder()
    with pytest.raises(ProfileError, match="not today"):
        ChosenSampler(Recorder(ProfileError("not today")), other, {}).start()
    assert [] == other.calls


@needs_gil
def test_the_signal_and_the_thread_together_have_the_cpu_of_all_threads_once():
    sampler = choose(("signal",), rate=50)
    before = time.process_time_ns()
    over = threading.Event()
    seen, counted = set(), 0

    def burn_on():
        while not over.is_set():
            burn(0.1)

    worker = threading.Thread(target=burn_on, name="worker-1")
    sampler.start()
    try:
        worker.start()

        def found():
            nonlocal counted
            burn(0.1)
            window = sampler.take()
            counted += sum(usage.cpu_ns for usage in window.stacks.values())
            seen.update(group for group, stack in window.stacks if stack[0].name.endswith("burn"))
            return "worker" in seen and counted >= 0.3e9

        # Looks at other threads begin at one a second.
        wait_for(found, seconds=60, what="a look at the worker")
    finally:
        over.set()
        worker.join()
        sampler.close()
    # Two samplers read the clocks one after the other, and ours run meanwhile.
    assert counted <= time.process_time_ns() - before


def leaves(profile):
    return {frames(sample)[0].name for sample in profile.samples if sample.locations}


@needs_gil
def test_a_burst_of_wall_time_finds_the_blocking_function():
    event = threading.Event()

    def blocked_here():
        event.wait(60)

    worker = threading.Thread(target=blocked_here)
    worker.start()
    profile = capture("wall", 0.2)
    event.set()
    worker.join()
    assert any(frame.name.endswith("blocked_here") for sample in profile.samples for frame in frames(sample))
    assert profile.comments[0].startswith("backend thread, bias ratio ")
    assert 0.2e9 <= profile.duration_nanos


@needs_gil
def test_a_burst_of_cpu_uses_the_running_signal_sampler_and_disturbs_it_not():
    running = SignalSampler(pace=Pace(rate=20, budget=1.0))
    running.start()
    try:
        profiles = []
        thread = threading.Thread(
            target=lambda: profiles.append(capture("cpu", 0.5, running=ChosenSampler(running, None, {})))
        )
        thread.start()
        while thread.is_alive():
            burn(0.02)
        thread.join()
        (profile,) = profiles
        assert f"{__name__}:burn" in leaves(profile)
        assert profile.comments[0].startswith("backend signal, ")  # and the bias of the other threads, where those ran
        of_main = [one for one in profile.samples if MAIN_GROUP == one.labels[0].str]
        assert running.take().samples >= sum(one.values[0] for one in of_main) > 0
    finally:
        running.close()


@needs_gil
def test_a_burst_of_cpu_without_a_running_sampler_is_the_threads_and_says_so():
    profile = capture("cpu", 0.1, sleep=burn)
    assert profile.comments[0].startswith("backend thread, bias ratio ")
    assert profile.total(1) > 0


@needs_gil
def test_a_second_burst_meanwhile_is_refused():
    begun, go_on = threading.Event(), threading.Event()

    def sleep(_seconds):
        begun.set()
        go_on.wait(60)

    thread = threading.Thread(target=capture, args=("wall", 1.0), kwargs={"sleep": sleep})
    thread.start()
    begun.wait(60)
    try:
        with pytest.raises(ProfileError, match="another profile is being taken"):
            capture("cpu", 1.0)
    finally:
        go_on.set()
        thread.join()
    assert capture("wall", 0.05).duration_nanos > 0


@needs_gil
def test_a_burst_that_is_interrupted_leaves_nothing_behind():
    def interrupted(_seconds):
        raise KeyboardInterrupt

    before = {thread.name for thread in threading.enumerate()}
    with pytest.raises(KeyboardInterrupt):
        capture("wall", 1.0, sleep=interrupted)
    wait_for(
        lambda: before == {thread.name for thread in threading.enumerate()}, what="the end of the sampler's thread"
    )
    assert capture("wall", 0.05).duration_nanos > 0


@pytest.mark.parametrize("seconds", [0, -1, 301, math.nan, math.inf])
def test_seconds_that_are_none_are_refused(seconds):
    with pytest.raises(ProfileError, match="more than 0 and at most 300 seconds"):
        capture("cpu", seconds)


def test_a_kind_that_cannot_be_sampled_is_refused():
    with pytest.raises(ProfileError, match="'heap': cpu, wall or block"):
        capture("heap", 1)


def test_shares_add_up_to_the_whole():
    assert [3, 3, 4] == split(10, [1, 1, 1])
    assert [0, 0] == split(10, [0, 0])
    assert [0] == split(-5, [3])
    assert 1_000_000_007 == sum(split(1_000_000_007, list(range(100))))


@needs_gil
def test_a_thread_sampler_by_name_is_alone():
    sampler = choose(("thread",))
    assert isinstance(sampler.backend, ThreadSampler)
    assert None is sampler.waiting


@pytest.mark.parametrize(("budget", "rate"), [(0.01, 10.0), (0.001, 5.0), (0.5, 20.0), (math.inf, 20.0)])
def test_a_helper_begins_at_what_its_budget_pays_for(budget, rate):
    sampler = choose(("py-spy",), rate=20.0, helper_budget=budget, tests=self_tests())
    assert rate == sampler.backend._pace.rate
