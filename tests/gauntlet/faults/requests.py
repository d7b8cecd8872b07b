"""Requests that fail, are slow, or do not come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet import curves, promises
from gauntlet.cases import DAY, Case, Draw, told
from gauntlet.service import share_above

if TYPE_CHECKING:
    from collections.abc import Callable

BURN, OBJECTIVE, LATENCY = "RuntimeHttpErrorBudgetBurn", "RuntimeSloBudgetBurn", "RuntimeHttpLatencyHigh"
SLOWER, TRAFFIC = "RuntimeHttpLatencyRegression", "RuntimeHttpThroughputDrop"


def slower(low: float, high: float, *, amplitude: float = 0) -> Callable[[Draw], Case]:
    """The median goes up at once to what lies between; the slowest 5 % are 2.7 times as slow."""

    def recipe(draw: Draw) -> Case:
        process, at, slow = draw.process(amplitude=amplitude), draw.minute(26, 44), draw.within(low, high)
        process.latency = [
            slow * max(0.6, draw.rng.gauss(1, 0.05)) if minute >= at else usual
            for minute, usual in enumerate(process.latency)
        ]
        return draw.case(process, faults=[told(LATENCY, at, 15)])

    return recipe


def failing(low: float, high: float, within: float | None = None, **given: object) -> Callable[[Draw], Case]:
    """A share of the requests fails from some minute on. Without `within` it is told as soon as one of the windows promises."""

    def recipe(draw: Draw) -> Case:
        days = 5 * DAY if high < 0.01 else 2 * DAY
        at, share = draw.minutes - days + draw.minute(26, 34), draw.within(low, high)
        process = draw.process(**given)
        process.errors = [share if minute >= at else 0.0001 for minute in range(draw.minutes)]
        seen = process.requests_alone if days > 2 * DAY else process
        return draw.case(seen, faults=[told(BURN, at, within or promises.burn(share))])

    return recipe


def failing_rarely(draw: Draw) -> Case:
    """Two requests a minute, of which a third or more fail."""
    rate, at, share = 0.03, draw.minute(26, 34), draw.within(0.3, 0.6)
    process = draw.process(rate=rate)
    process.errors = [share if minute >= at else 0.0001 for minute in range(draw.minutes)]
    return draw.case(process, faults=[told(BURN, at, promises.burst(share, rate))])


def breaks_objective(low: float, high: float) -> Callable[[Draw], Case]:
    """An objective of the user's own: 99.5 % of checkouts. What burns it burns that of all services, too."""

    def recipe(draw: Draw) -> Case:
        at, share = draw.minutes - 3 * DAY + draw.minute(26, 34), draw.within(low, high)
        process = draw.process(route="/checkout")
        process.errors = [share if minute >= at else 0.0001 for minute in range(draw.minutes)]
        fault = told(OBJECTIVE, at, promises.burn(share, 0.005), slo="checkout")
        return draw.case(process.requests_alone, faults=[fault], tolerated=[BURN])

    return recipe


def breaks_latency_objective(low: float, high: float) -> Callable[[Draw], Case]:
    """An objective of the user's own: 99 % of searches within 250 ms. The median goes up to what lies between.

    With half a second every eighth takes longer than one, which burns the objective of all services, too.
    """

    def recipe(draw: Draw) -> Case:
        at, slow = draw.minutes - 3 * DAY + draw.minute(26, 34), draw.within(low, high)
        process = draw.process(route="/search")
        process.latency = [slow if minute >= at else usual for minute, usual in enumerate(process.latency)]
        fault = told(OBJECTIVE, at, promises.burn(share_above(0.25, slow), 0.01), slo="search")
        return draw.case(process.requests_alone, faults=[fault], tolerated=[LATENCY, OBJECTIVE])

    return recipe


def slower_than_last_week(draw: Draw) -> Case:
    """By more than half, within some hours: never far enough at once to be slow in itself."""
    at, hours, factor = draw.minutes - DAY + draw.minute(2, 8), draw.within(2, 6), draw.within(1.7, 1.95)
    process = draw.process(amplitude=draw.within(0.2, 0.5), weekend=draw.within(0.3, 1))
    rise = [1 + (factor - 1) * min(1.0, max(0.0, (minute - at) / 60 / hours)) for minute in range(draw.minutes)]
    process.latency = curves.times(process.latency, rise)
    # It is told from half as slow again on.
    until_it_is = 60 * hours * 0.5 / (factor - 1)
    return draw.case(process.requests_alone, faults=[told(SLOWER, at, until_it_is + 45)], tolerated=[LATENCY])


def failing_in_one_cluster(draw: Draw) -> Case:
    at = draw.minute(26, 44)
    eu, us = draw.process(rate=20), draw.process(rate=20, cluster="us")
    us.errors = [0.25 if minute >= at else 0.0001 for minute in range(draw.minutes)]
    return draw.case(eu, us, faults=[told(BURN, at, 15, cluster="us")])


def fewer_requests(low: float, high: float) -> Callable[[Draw], Case]:
    """They become a share of what they were: at some hour of day and night, and what is usual then, only last week knows."""

    def recipe(draw: Draw) -> Case:
        process = draw.process(amplitude=draw.within(0.2, 0.5), weekend=draw.within(0.4, 1))
        at = draw.minutes - DAY + draw.minute(1, 20)
        process.load = curves.times(process.load, curves.step(draw.minutes, at, draw.within(low, high)))
        return draw.case(process.requests_alone, faults=[told(TRAFFIC, at, 30)])

    return recipe
