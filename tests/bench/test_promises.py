"""Promises and their goals: which verdict a promise has, which of its goals is the worst, and what the first drawing and table tell."""

from __future__ import annotations

from math import inf, isinf
from xml.etree import ElementTree as ET

import pytest
from benchmarks import headlines, overview
from benchmarks.figures import Figure, Goal, Spread
from benchmarks.promises import PARTS, better, gather
from benchmarks.results import FULL, Result, judge, read_all
from benchmarks.sections import REPORTS


def result(report, *texts_and_values, at_most=10.0):
    """A result whose goals each are about a figure of their own."""
    items = []
    for text, spread in texts_and_values:
        values = spread if isinstance(spread, Spread) else Spread.exactly(spread)
        items += [Figure(text, "ms", values), Goal(text, text, of="ours", at_most=at_most)]
    return Result(report, "2026-11-22T14:30Z", False, 1.0, 0.1, {}, {}, tuple(items))


def told(*results):
    return {one.text: one for _, told in gather({one.report: one for one in results}) for one in told}


UNCLEAR = Spread(5.0, 9.0, 12.0)


@pytest.mark.parametrize(
    ("values", "verdict", "held"),
    [
        ((5.0, 2.0), "HOLDS", 2),
        ((5.0, UNCLEAR), "NOT RESOLVED", 1),
        ((12.0, UNCLEAR, 1.0), "DOES NOT HOLD", 1),
    ],
)
def test_a_promise_has_the_verdict_of_its_worst_goal(values, verdict, held):
    goals = [(f"one {number}", value) for number, value in enumerate(values)]
    (promise,) = told(result("codec", *goals)).values()

    assert (verdict, held, len(values)) == (promise.verdict, promise.held, len(promise.judged))


def test_the_worst_is_the_one_that_fails_and_not_the_one_that_only_may():
    (promise,) = told(result("codec", ("a", 2.0), ("b", Spread(1.0, 30.0, 50.0)), ("c", 11.0), ("d", 12.0))).values()

    assert "d" == promise.worst.goal.text


def test_a_goal_belongs_to_the_first_promise_that_it_fits_and_what_fits_none_is_told_too():
    found = told(
        result("prefork", ("faster than MultiProcess", 1.0), ("with dead ones", 2.0)), result("locks", ("new", 3.0))
    )

    assert {
        "200 dead workers change nothing": ["with dead ones"],
        "Four workers: 45 times faster than multiprocess mode": ["faster than MultiProcess"],
        REPORTS["locks"].title: ["new"],
    } == {text: [one.goal.text for one in promise.judged] for text, promise in found.items()}


@pytest.mark.parametrize(
    ("goal", "value", "times"),
    [
        ({"at_most": 10.0}, 5.0, 2.0),
        ({"at_most": 10.0}, 20.0, 0.5),
        ({"at_most": 10.0}, -3.0, inf),
        ({"at_most": 0.0}, 0.0, inf),
        ({"at_most": 0.0}, 2.0, 0.0),
        ({"at_least": 10.0}, 40.0, 4.0),
        ({"at_least": 10.0}, 5.0, 0.5),
        ({"at_least": 0.8, "at_most": 1.2}, 1.1, 2.0),
        ({"at_least": 0.8, "at_most": 1.2}, 1.0, inf),
    ],
)
def test_how_many_times_better_than_promised(goal, value, times):
    judged = judge(Goal("x", "x", of="ours", **goal), (Figure("x", "", Spread.exactly(value)),))

    assert times == (inf if isinf(times) and isinf(better(judged)) else pytest.approx(better(judged)))


def test_every_goal_that_was_measured_is_in_one_promise_of_its_own_report():
    results = read_all(FULL)
    parts = gather(results)

    assert sum(len(one.judged) for one in results.values()) == sum(len(one.judged) for _, told in parts for one in told)
    assert [title for title, _ in PARTS] == [title for title, _ in parts]


def test_the_drawing_has_a_row_for_each_promise_with_its_worst_and_how_many_goals_hold():
    svg = overview.draw(gather({"codec": result("codec", ("a", 2.0), ("b", 20.0), ("c", 0.0))}))
    texts = [(one.get("class"), one.text) for one in ET.fromstring(svg).iter() if one.tag.endswith("}text")]

    assert ("head", "Profiling") in texts
    assert [
        ("label", "A profile is read and written within its limits"),
        ("value", "20.0 ms"),
        ("fails", "2 of 3"),
    ] == [each for each in texts if each[0] in {"label", "value"} or (each[1] or "").endswith(" of 3")]


def test_verdicts_differ_by_shape_and_not_only_by_colour():
    def shapes(value):
        promise = gather({"codec": result("codec", ("a", value))})
        legend = overview.draw(gather({"codec": result("codec", ("a", 2.0))}))
        return {
            tag: overview.draw(promise).count(f"<{tag} ") - legend.count(f"<{tag} ")
            for tag in ("circle", "polygon", "line")
        }

    assert {"circle": -2, "polygon": 2, "line": 0} == shapes(UNCLEAR)
    assert {"circle": -2, "polygon": 0, "line": 4} == shapes(20.0)


def test_there_is_no_drawing_of_no_promise():
    assert None is overview.draw([])


def test_the_page_begins_with_headlines_of_what_was_measured():
    results = read_all(FULL)

    assert [*headlines.rows({})] == []
    assert 5 <= len([*headlines.rows(results)])
