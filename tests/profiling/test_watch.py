"""What is compared with what: a rise stays out of its own baseline, and a version is compared with the one before."""

import random

import pytest

from runtime_exporter.profiling.assembly import recalled
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.store import Store
from runtime_exporter.profiling.table import tabulate
from runtime_exporter.profiling.watch import Watch
from runtime_exporter.settings import Settings

START = 1_700_000_000 // 3600 * 3600
MS = 10**6
QUIET = {"app:parse": 400, "app:render": 400, "app:query": 400}


def profile(minute, samples, *, chance=None):
    """A minute of samples of 50 ms by function; with `chance` their numbers vary by a tenth."""
    stacks = []
    for name, mean in samples.items():
        count = mean if chance is None else max(0, round(chance.gauss(mean, mean / 10)))
        stacks.append(((Frame(name, "app.py"), Frame("app:main", "app.py")), (count, count * 50 * MS), ()))
    return build("cpu", stacks, time_nanos=(START + 60 * minute) * 10**9, duration_nanos=60 * 10**9)


def watched(watch, minutes, samples, chance=None):
    """The judgement after each of the minutes."""
    judgements = []
    for minute in minutes:
        one = profile(minute, samples, chance=chance)
        judgements.append(watch.compare({"cpu": tabulate(one, kind="cpu")}, {"cpu": one}).get("cpu"))
    return judgements


def states(judgement):
    return {} if judgement is None else {one.function: one.state for one in judgement.comparison.findings}


def test_without_enough_past_there_is_no_judgement():
    assert [None] * 30 == watched(Watch(), range(30), QUIET)


def test_steady_work_is_no_regression_and_the_smallest_change_that_would_be_seen_is_told():
    judgement = watched(Watch(fewest=30), range(90), QUIET, random.Random(1))[-1]
    assert {} == states(judgement)
    assert 0 < judgement.comparison.mde_ratio < 1


def test_a_slow_function_stays_confirmed_for_hours_and_is_gone_when_it_is_repaired():
    watch, chance = Watch(fewest=30), random.Random(2)
    watched(watch, range(90), QUIET, chance)
    slow = watched(watch, range(90, 290), {**QUIET, "app:query": 1200}, chance)
    first = next(number for number, one in enumerate(slow) if states(one).get("app:query") == "confirmed")
    assert 30 >= first
    assert {"confirmed"} == {states(one).get("app:query") for one in slow[first:]}
    share = {one.function: one.share_before for one in slow[-1].comparison.findings}["app:query"]
    assert 0.3 < share < 0.36
    after = watched(watch, range(290, 360), QUIET, chance)
    assert "confirmed" not in states(after[-1]).values()


def test_a_new_version_is_compared_with_the_one_before_as_the_store_kept_it(tmp_path):
    store, chance = Store(tmp_path, clock=lambda: START + 60 * 100), random.Random(3)
    for minute in range(90):
        store.put(profile(minute, QUIET, chance=chance), "cpu", labels={"version": "1"})
    damaged = store.entries("cpu")[7]
    (tmp_path / damaged.name).write_bytes(b"damaged")
    watch = Watch("2")
    assert 90 == len(list(recalled(store, watch)))
    after = watched(watch, range(95, 130), {**QUIET, "app:parse": 1200}, chance)
    assert "version 1" == after[-1].comparison.baseline
    assert "confirmed" == states(after[-1])["app:parse"]


def test_with_a_short_baseline_a_slow_function_is_confirmed_in_three_times_the_windows_that_vote():
    watch, chance = Watch.of(Settings(profile_comparison_windows=3, profile_baseline_windows=12)), random.Random(5)
    quiet = watched(watch, range(30), QUIET, chance)
    assert [None] * 14 == quiet[:14]
    assert {} == states(quiet[-1])
    slow = watched(watch, range(30, 50), {**QUIET, "app:query": 2400}, chance)
    assert "app:query" in {name for one in slow[:12] for name, state in states(one).items() if state == "confirmed"}


def test_a_baseline_of_no_windows_stands_for_the_proven_numbers():
    assert [None] * 100 == watched(Watch.of(Settings(profile_baseline_windows=0)), range(100), QUIET)


def test_who_calls_whom_is_known_from_all_of_the_present_windows():
    def one(minute, searches):
        stack = (Frame("app:scan", "app.py"), Frame("app:search", "app.py"), Frame("app:main", "app.py"))
        rest = (Frame("app:render", "app.py"), Frame("app:main", "app.py"))
        rows = [(stack, (searches, searches * 50 * MS), ()), (rest, (400, 400 * 50 * MS), ())]
        return build("cpu", rows, time_nanos=(START + 60 * minute) * 10**9, duration_nanos=60 * 10**9)

    watch, found = Watch(fewest=30), []
    for minute in range(110):
        profile = one(minute, 0 if minute == 109 else 300 if minute >= 90 else 20)
        found.append(watch.compare({"cpu": tabulate(profile, kind="cpu")}, {"cpu": profile}).get("cpu"))
    assert {"app:scan": "confirmed"} == states(found[-2])
    assert {"app:scan": "confirmed"} == states(found[-1])


def test_who_was_suspected_now_and_then_before_is_compared_with_what_was_before_this_rise():
    watch, chance = Watch(fewest=30, windows=2), random.Random(5)
    slow = {**QUIET, "app:query": 1200}
    watched(watch, range(60), QUIET, chance)
    for minute in range(60, 100, 4):  # once in two comparisons, which is never three of five
        watched(watch, range(minute, minute + 2), {**QUIET, "app:query": 700}, chance)
        watched(watch, range(minute + 2, minute + 4), QUIET, chance)
    found = [states(one).get("app:query") for one in watched(watch, range(100, 160), slow, chance)]
    first = found.index("confirmed")
    assert 8 >= first
    assert {"confirmed"} == set(found[first:])


def test_while_nothing_runs_a_regression_is_neither_over_nor_new():
    watch, chance = Watch(fewest=30, windows=1), random.Random(6)
    watched(watch, range(90), QUIET, chance)
    slow = watched(watch, range(90, 120), {**QUIET, "app:query": 1200}, chance)
    assert {"app:query": "confirmed"} == states(slow[-1])
    idle = watched(watch, range(120, 130), dict.fromkeys(QUIET, 0))
    assert [{"app:query": "confirmed"}] * 10 == [states(one) for one in idle]


@pytest.mark.parametrize("quiet", range(30, 35))
def test_a_rise_that_begins_anywhere_within_the_windows_of_a_vote_is_not_in_its_baseline(quiet):
    watch = Watch(fewest=10)
    watched(watch, range(quiet), QUIET)
    slow = watched(watch, range(quiet, quiet + 40), {**QUIET, "app:query": 1200})
    assert {"app:query": "confirmed"} == states(slow[-1])
    (found,) = slow[-1].comparison.findings
    assert 1 / 3 == pytest.approx(found.share_before)
