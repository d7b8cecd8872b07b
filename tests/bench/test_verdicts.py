"""What the benchmarks of profiling promise of their figures: made-up timings whose verdict is known."""

from __future__ import annotations

import math

import pytest
from benchmarks import codec, harness, profiling
from benchmarks.figures import Figure, Goal, Missing, Noise
from benchmarks.results import judge
from hypothesis import given, settings
from hypothesis import strategies as st

HOLDS, FAILS, OPEN = "HOLDS", "DOES NOT HOLD", "NOT RESOLVED"


def judged(items):
    """The verdicts of the goals among what a report yields."""
    items = [*items]
    figures = tuple(item for item in items if isinstance(item, Figure))
    return [judge(item, figures).verdict for item in items if isinstance(item, Goal)]


def cost(low, high, *, runs=0.0, helper=0.0):
    return profiling._Cost((low + high) / 2, low, high, handler=0.0, threads=runs, helper=helper)


QUIET = cost(-0.0001, 0.0001)
ends = st.floats(-1, 1)
intervals = st.tuples(ends, ends).map(sorted)


@pytest.mark.parametrize(
    ("mine", "by_the_clock", "by_what_it_runs"),
    [
        (cost(0.002, 0.008, runs=0.004), HOLDS, HOLDS),
        (cost(0.012, 0.020, runs=0.015), FAILS, FAILS),
        (cost(-0.02, 0.03, runs=0.004), OPEN, HOLDS),
        (cost(-0.02, 0.03, runs=0.011), OPEN, FAILS),
    ],
)
def test_the_limit_in_the_process_is_told_of_by_both_measures(mine, by_the_clock, by_what_it_runs):
    assert [by_the_clock] == judged(profiling._by_the_clock("signal", mine, QUIET))
    assert [by_what_it_runs] == judged(profiling._by_what_it_runs("signal", mine))


def test_a_cost_that_nothing_at_all_has_too_is_not_resolved():
    assert [OPEN] == judged(profiling._by_the_clock("signal", cost(0.012, 0.020), cost(-0.01, 0.02)))


@pytest.mark.parametrize(("helper", "expected"), [(0.0075, HOLDS), (0.011, FAILS)])
def test_a_helper_has_a_limit_of_its_own(helper, expected):
    assert [HOLDS, expected] == judged(profiling._by_what_it_runs("py-spy", cost(0, 0.001, helper=helper)))


def against(mine, theirs):
    (by_the_clock,) = judged(profiling._beside("ours", mine, "ddtrace", theirs, QUIET))
    (by_what_each_runs,) = judged(profiling._runs_beside("ours", mine, "ddtrace", theirs))
    return by_the_clock, by_what_each_runs


def test_a_helper_counts_against_a_peer_that_has_none():
    assert (HOLDS, HOLDS) == against(cost(0, 0.001, runs=0.001), cost(0.02, 0.03, runs=0.02))
    assert (FAILS, FAILS) == against(cost(0, 0.001, runs=0.001, helper=0.05), cost(0.02, 0.03, runs=0.02))
    assert (HOLDS, HOLDS) == against(cost(0, 0.001, runs=0.001, helper=0.05), cost(0, 0.001, runs=0.001, helper=0.06))


def test_who_looks_more_often_is_told_beside_what_he_runs_and_by_the_look():
    mine, theirs = (cost(0, 0, runs=0.01)._replace(looks=looks) for looks in (20.0, 50.0))

    figures = [item for item in profiling._runs_beside("ours", mine, "ddtrace", theirs) if isinstance(item, Figure)]

    _, looks, look = figures
    assert (20.0, 50.0, 0.4) == (looks.ours.middle, looks.theirs.middle, looks.ratio.middle)
    assert (0.5, 0.2, 2.5) == pytest.approx((look.ours.middle, look.theirs.middle, look.ratio.middle))


def test_of_who_does_not_tell_how_often_he_looks_nothing_is_told_by_the_look():
    silent = cost(0, 0, runs=0.01)

    (figure, _) = profiling._runs_beside("ours", silent._replace(looks=20.0), "pyroscope-io", silent)

    assert "CPU that it runs itself, helpers counted, ours" == figure.name


shares = st.floats(0.0001, 0.1)
costs = st.builds(lambda pair, runs, helper: cost(*pair, runs=runs, helper=helper), intervals, shares, shares)


@given(costs, costs)
def test_of_two_profilers_not_both_are_worse_than_the_other(one, other):
    for there, back in zip(against(one, other), against(other, one), strict=True):
        assert (FAILS, FAILS) != (there, back)


def accuracy(monkeypatch, sampler, **found):
    monkeypatch.setattr(profiling, "_run", lambda *_: {"samples": 2000, "bias_ratio": 0.0, **found})
    return [*profiling._accuracy(sampler, "io", 1.0)]


@pytest.mark.parametrize(
    ("seen", "samples", "expected"),
    [
        (0.53, 2000, HOLDS),
        (0.40, 2000, FAILS),
        (0.44, 2000, OPEN),  # 0.06 is more than 0.05, and less than 0.05 and two standard errors of 0.011
        (0.40, 20, OPEN),
    ],
)
def test_an_unbiased_sampler_is_wrong_only_beyond_chance(monkeypatch, seen, samples, expected):
    assert [expected] == judged(accuracy(monkeypatch, "signal", truth=0.5, seen=seen, samples=samples))


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**6), st.integers(1, 100))
def test_more_samples_never_take_a_verdict_back(truth, seen, samples, times):
    with pytest.MonkeyPatch.context() as patch:
        (few,) = judged(accuracy(patch, "py-spy", truth=truth, seen=seen, samples=samples))
        (many,) = judged(accuracy(patch, "py-spy", truth=truth, seen=seen, samples=samples * times))

    assert few in (many, OPEN)
    assert abs(seen - truth) > 0.05 or many == HOLDS


@pytest.mark.parametrize(
    ("seen", "bias_ratio", "expected"), [(0.9, 0.8, []), (0.9, 0.1, [FAILS]), (0.55, 0.1, [HOLDS]), (0.55, 0.2, [])]
)
def test_the_biased_sampler_may_be_wrong_where_it_says_so(monkeypatch, seen, bias_ratio, expected):
    items = accuracy(monkeypatch, "thread", truth=0.5, seen=seen, bias_ratio=bias_ratio)

    assert expected == judged(items)
    assert (not expected) == any(isinstance(item, str) and "not to be trusted" in item for item in items)


def overhead(monkeypatch, without, factor):
    """The cost of what takes `factor` times as long, round by round as `without` says, two rounds a block."""
    times = {"with": [one * factor for one in without], "without": without}
    rest = {"handler": 0.001, "threads": 0.002, "helper": 0.003, "looks": 20.0}
    monkeypatch.setattr(profiling, "_run", lambda *_: {**times, **rest})
    return profiling._overhead("signal", profiling.QUICK._replace(blocks=len(without) // 2))


speeds = st.lists(st.floats(0.01, 100), min_size=2, max_size=30).map(lambda rounds: rounds + rounds[::-1])


@settings(deadline=None, max_examples=25)
@given(speeds, st.floats(0.5, 2))
def test_a_machine_whose_speed_varies_from_block_to_block_changes_no_cost(without, factor):
    with pytest.MonkeyPatch.context() as patch:
        found = overhead(patch, without, factor)

    assert [factor - 1] * 3 == pytest.approx([found.middle, found.low, found.high], abs=1e-9)


def test_the_parts_of_a_core_are_those_that_were_measured(monkeypatch):
    found = overhead(monkeypatch, [1.0] * 8, 1.01)

    assert (0.003, 0.003, 4) == (pytest.approx(found.runs), found.helper, found.blocks)
    assert (1.0, 1.0, 1.0) == pytest.approx((found.spread.low, found.spread.middle, found.spread.high))


def test_a_tenth_of_blocks_that_went_wild_is_left_out_on_either_side():
    assert 1.0 == profiling.trimmed_mean([1.0] * 8 + [50.0, -50.0])
    assert 6.0 == profiling.trimmed_mean([1.0] * 8 + [46.0])  # of nine none is a tenth


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40))
def test_an_interval_is_within_what_was_seen_and_the_same_again(values):
    middle, low, high = profiling.interval(values)
    nearly = 1e-12  # the mean of equal numbers may differ from them in the last digit

    assert min(values) - nearly <= low <= high <= max(values) + nearly
    assert min(values) - nearly <= middle <= max(values) + nearly
    assert (middle, low, high) == profiling.interval(values)


def test_an_interval_of_more_blocks_is_narrower_and_has_the_truth_in_it():
    def found(count):
        return profiling.interval([0.01 + 0.02 * math.sin(7 * number) for number in range(count)])

    (_, low, high), (_, lower, higher) = found(400), found(20)

    assert low < 0.01 < high
    assert high - low < (higher - lower) / 2


@pytest.mark.parametrize("quick", [True, False])
def test_the_report_has_the_noise_beside_each_cost_and_names_the_peers_that_are_not_here(monkeypatch, quick):
    def run(what, *arguments):
        if what == "accuracy":
            return {"truth": 0.5, "seen": 0.51, "samples": 2000, "bias_ratio": 0.0}
        rounds = [1.0] * 2 * int(arguments[1])
        return {"with": rounds, "without": rounds, "handler": 0.001, "threads": 0.001, "helper": 0.0, "looks": 20.0}

    monkeypatch.setattr(profiling, "_run", run)
    monkeypatch.setattr(profiling, "_pyspy", lambda: ("py-spy",))
    monkeypatch.setattr(profiling, "_instructions", lambda: iter(()))
    monkeypatch.setattr(profiling.machine, "can_import", lambda module: module == "ddtrace")
    items = [*profiling.report(quick=quick)]
    costs = [item for item in items if isinstance(item, Figure) and item.name.startswith("CPU for the same work")]

    samplers = ["signal", "py-spy", "thread"]
    assert samplers == [each.name.split(", ")[1] for each in costs if each.peer == "" and "less" not in each.name][1:]
    assert samplers == [each.name.split(", ")[-1] for each in costs if each.peer == "ddtrace"]
    assert {Noise(0.0, 0.0, relative=False)} == {each.noise for each in costs[1:]}
    assert ["pyroscope-io"] == [item.name for item in items if isinstance(item, Missing)]
    assert {*samplers} == {
        item.text.split(":")[0] for item in items if isinstance(item, Goal) and "no worse than ddtrace" in item.text
    }
    assert {HOLDS} == {*judged(items)}
    assert quick != any("by what each runs" in item.text for item in items if isinstance(item, Goal))


def takes(monkeypatch, seconds):
    """Let everything that the codec's report times take so long."""
    monkeypatch.setattr(
        codec, "rounds", lambda candidates, count: {name: harness.Timing(name, (seconds,) * 4) for name in candidates}
    )


@pytest.mark.parametrize(
    ("seconds", "memory", "expected"),
    [
        (0.010, 10e6, [HOLDS, HOLDS]),
        (0.010, 100, [HOLDS, FAILS]),
        (0.020, 10e6, [FAILS, HOLDS]),
        (0.015, 10e6, [HOLDS, HOLDS]),
    ],
)
def test_reading_has_a_limit_of_time_and_one_of_memory(monkeypatch, seconds, memory, expected):
    takes(monkeypatch, seconds)
    small = codec.pprof.encode(codec.made_up(codec.Size(10, 4, 20, 10)))

    assert expected == judged(codec._reading("a small one", small, codec.Limit(0.015, memory), 4))


@pytest.mark.parametrize(("milliseconds", "expected"), [(39, HOLDS), (41, FAILS)])
def test_writing_has_a_limit_for_25_stacks_of_which_40_times_as_many_are_written(monkeypatch, milliseconds, expected):
    takes(monkeypatch, milliseconds / 1e3)

    assert [expected] == judged(codec._writing(4))
