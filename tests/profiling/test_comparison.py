"""From windows to findings."""

from __future__ import annotations

import math
import pickle

import pytest

from profile_windows import MINUTE, drawn, steady
from runtime_exporter.profiling.baseline import Baseline, pick, remember, rolling
from runtime_exporter.profiling.comparison import MAXIMUM_FINDINGS, Comparison, compare
from runtime_exporter.profiling.persistence import History

BLOCK = 5 * MINUTE
SHOP = {"main": 1.0, "search": 0.3, "score": 0.2, "render": 0.25, "json": 0.1}
STACKS = [(("score", "search", "main"), 2.0), (("json", "render", "main"), 1.0), (("render", "main"), 1.5)]


def slower(function_callers, extra, shares=SHOP):
    """The shares when these functions cost `extra` of the former whole more."""
    return {name: (share + extra * (name in function_callers)) / (1 + extra) for name, share in shares.items()}


def follow(shares, *, votes=3, before=SHOP, stacks=STACKS, cores=1.0, **more):
    base = Baseline("rolling", steady(before, 60), "quiet")
    history = History()
    for place in range(votes):
        now = steady(shares, 5, begin=1e6 + place * BLOCK, cores=cores, **more)
        comparison = compare(now, base, history, stacks=stacks)
        history = comparison.history
    return comparison


SLOW_SCORE = slower({"score", "search", "main"}, 0.2)
SLOW_SCORE["main"] = 1.0


def test_a_slow_function_is_confirmed_and_stands_for_its_callers():
    comparison = follow(SLOW_SCORE, cores=1.2)
    (finding,) = comparison.findings
    assert (finding.function, finding.state, finding.kind, finding.baseline) == (
        "score",
        "confirmed",
        "cpu",
        "rolling quiet",
    )
    assert finding.explains == ("search",)
    assert finding.share_before == pytest.approx(0.2)
    assert finding.share_now == pytest.approx(0.4 / 1.2)
    assert finding.delta_ratio == pytest.approx(2 / 3)
    assert finding.cost_ratio == pytest.approx(2)
    assert finding.z > 5
    assert finding.since == 1e6
    assert comparison.count("confirmed") == 1


def test_it_is_not_confirmed_before_its_third_vote():
    comparison = follow(SLOW_SCORE, votes=2, cores=1.2)
    assert {"transient"} == {finding.state for finding in comparison.findings}
    assert "score" in {finding.function for finding in comparison.findings}


def test_equal_sides_have_no_findings_and_say_what_would_have_been_seen():
    comparison = follow(SHOP)
    assert comparison.findings == ()
    assert 0.2 <= comparison.mde_ratio < 0.5
    assert comparison.divergence == pytest.approx(0, abs=1e-6)


def test_more_windows_would_have_seen_less():
    now = steady(SHOP, 5, begin=1e6)
    ratios = [compare(now, Baseline("rolling", steady({"f": 0.02}, count))).mde_ratio for count in (10, 40, 160)]
    assert ratios == sorted(ratios, reverse=True)
    few, many = (
        compare(steady({"f": 0.02}, count, begin=1e6), Baseline("rolling", steady({"f": 0.02}, 60))).mde_ratio
        for count in (5, 20)
    )
    assert many < few


def test_a_new_function_that_does_the_work_of_another_is_a_shift():
    shares = {**SHOP, "score": 0.02, "fast": 0.18}
    comparison = follow(shares, stacks=[(("fast", "search", "main"), 1.0)])
    (finding,) = comparison.findings
    assert (finding.function, finding.state) == ("fast", "shift")
    assert finding.reason == "search, which calls it, did not rise"


def test_a_share_that_rose_because_others_became_cheaper_is_a_shift():
    # Rendering was 0.25 of one core and is gone now.
    shares = {"main": 1.0, "search": 0.4, "score": 0.2 / 0.75}
    comparison = follow(shares, cores=0.75)
    assert {"shift"} == {finding.state for finding in comparison.findings}
    assert {"its cost did not rise, that of others fell"} == {finding.reason for finding in comparison.findings}


def test_cost_is_taken_per_request_when_requests_are_known():
    base = Baseline("rolling", steady(SHOP, 60, requests=100))
    history = History()
    for place in range(3):  # half the traffic: less CPU than before, but more of it for each request
        now = steady(SLOW_SCORE, 5, begin=1e6 + place * BLOCK, cores=0.6, requests=50)
        comparison = compare(now, base, history, stacks=STACKS)
        history = comparison.history
    (finding,) = comparison.findings
    assert (finding.function, finding.state) == ("score", "confirmed")
    assert finding.cost_ratio == pytest.approx(2)


def test_a_regression_that_ends_is_gone_then_forgotten():
    base = Baseline("rolling", steady(SHOP, 60))
    history, states = History(), []
    for place, shares in enumerate([SLOW_SCORE] * 4 + [SHOP] * 6):
        now = steady(shares, 5, begin=1e6 + place * BLOCK, cores=1.2)
        comparison = compare(now, base, history, stacks=STACKS)
        history = comparison.history
        states.append({one.state for one in comparison.findings if one.function == "score"})
    assert [{"transient"}] * 2 + [{"confirmed"}] * 4 + [{"gone"}] * 2 + [set()] * 2 == states


def test_a_burst_is_transient():
    base = Baseline("rolling", steady(SHOP, 60))
    history = History()
    seen = set()
    for place, shares in enumerate([SHOP, SLOW_SCORE, SHOP, SHOP, SHOP, SHOP, SHOP, SHOP]):
        comparison = compare(steady(shares, 5, begin=1e6 + place * BLOCK, cores=1.2), base, history, stacks=STACKS)
        history = comparison.history
        seen |= {finding.state for finding in comparison.findings}
    assert seen == {"transient"}
    assert comparison.findings == ()


def test_a_rolling_baseline_does_not_learn_the_regression():
    past, history = (), History()
    for place in range(12 * 30):  # 30 hours, slow since the 4th
        shares = SHOP if place < 48 else SLOW_SCORE
        now = steady(shares, 5, begin=1e6 + place * BLOCK, cores=1.2)
        picked = pick([rolling(past, now.begin, until=history.since)], now.end)
        if picked is not None:
            comparison = compare(now, picked.baseline, history, stacks=STACKS)
            history = comparison.history
        past = remember(past, now)
        if place in (60, 200):
            assert ["score"] == [one.function for one in comparison.findings if one.state == "confirmed"]


def test_findings_are_bounded_with_the_surest_first():
    before = {f"f{index}": 0.02 for index in range(60)}
    now = {name: 0.05 + index / 1000 for index, name in enumerate(before)}
    comparison = follow(now, before=before, stacks=())
    assert len(comparison.findings) == MAXIMUM_FINDINGS
    scores = [finding.z for finding in comparison.findings]
    assert scores == sorted(scores, reverse=True)
    assert comparison.findings[0].function == "f59"


def test_without_samples_nothing_could_have_been_seen():
    comparison = compare(steady({}, 5, n=0), Baseline("rolling", steady(SHOP, 60)))
    assert comparison.findings == ()
    assert comparison.mde_ratio == math.inf
    assert math.isnan(comparison.divergence)


def test_another_shape_shows_as_divergence():
    assert follow({"other": 0.5}).divergence == pytest.approx(1)


def test_stacks_are_not_read_when_nothing_rose():
    def never():
        raise AssertionError
        yield

    assert follow(SHOP, stacks=never()).findings == ()


def test_kinds_are_not_compared_with_each_other():
    with pytest.raises(ValueError, match="a heap profile is not comparable with a cpu profile"):
        compare(steady(SHOP, 5, kind="heap"), Baseline("rolling", steady(SHOP, 60)))


def test_a_comparison_is_a_value():
    comparison = follow(SLOW_SCORE)
    assert comparison == pickle.loads(pickle.dumps(comparison))
    assert isinstance(comparison, Comparison)
    with pytest.raises(AttributeError):
        comparison.findings = ()


def test_a_quiet_day_of_noise_has_no_regression():
    shares = {f"f{index}": 0.02 * (index + 1) for index in range(6)}
    base = Baseline("rolling", drawn(shares, 30, seed=1, n=300, variation=0.3))
    history, confirmed = History(), set()
    for place in range(96):
        now = drawn(shares, 5, seed=100 + place, begin=1e6 + place * BLOCK, n=300, variation=0.3)
        comparison = compare(now, base, history)
        history = comparison.history
        confirmed |= {one.function for one in comparison.findings if one.state == "confirmed"}
    assert confirmed == set()


def test_a_rise_that_has_just_ended_still_stands_for_its_callers():
    base = Baseline("rolling", steady(SHOP, 60), "quiet")
    history, blocks = follow(SLOW_SCORE, cores=1.2).history, []
    for place in range(3, 6):
        comparison = compare(steady(SHOP, 5, begin=1e6 + place * BLOCK), base, history, stacks=STACKS)
        history = comparison.history
        blocks.append([(finding.function, finding.state) for finding in comparison.findings])
    assert [[("score", "shift")], [("score", "shift")], [("score", "gone")]] == blocks
