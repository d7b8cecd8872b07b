"""Targets that do not answer, are gone, or start again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet import promises
from gauntlet.cases import Case, Draw, told
from gauntlet.faults.memory import LEAK
from gauntlet.faults.process import CPU
from gauntlet.faults.requests import TRAFFIC
from gauntlet.preforked import again, ends
from gauntlet.quiet import starting

if TYPE_CHECKING:
    from collections.abc import Callable

DOWN, RESTARTING, DYING = "RuntimeTargetDown", "RuntimeRestarting", "RuntimeWorkersDying"


def answers_no_more(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 46)
    process.dark = set(range(at, draw.minutes))
    return draw.case(process, faults=[told(DOWN, at, 10)], tolerated=[TRAFFIC])


def one_of_three_answers_no_more(draw: Draw) -> Case:
    processes, at = [draw.process(replica) for replica in range(3)], draw.minute(26, 46)
    processes[2].dark = set(range(at, draw.minutes))
    return draw.case(*processes, faults=[told(DOWN, at, 10, instance="10.0.0.2:9464")])


def looked_for_no_more(draw: Draw) -> Case:
    """It left service discovery: there is not even `up`."""
    process, at = draw.process(), draw.minute(26, 44)
    process.gone = set(range(at, draw.minutes))
    return draw.case(process, faults=[told(DOWN, at, 15)], tolerated=[TRAFFIC])


def crash_loop(draw: Draw) -> Case:
    at = draw.minute(26, 44)
    births = list(range(at, min(draw.minutes, at + 180), 7))
    return draw.case(starting(draw.process(births=births)), faults=[told(RESTARTING, at, 40)], tolerated=[CPU, LEAK])


def workers_die(*, together: bool = False, released: bool = False) -> Callable[[Draw], Case]:
    """One after the other, or all at once as often as that happens, for three hours; `released`: it is a new version that does."""

    def recipe(draw: Draw) -> Case:
        at, pause, count = draw.minute(26, 44), draw.within(4, 13), draw.rng.randrange(4, 17)
        deaths = again(draw, at, min(draw.minutes, at + 180), pause)
        process = draw.process(births=[at] if released else [])
        process.ended = ends(draw, died=[minute for minute in deaths for _ in range(count if together else 1)])
        return draw.case(process, faults=[told(DYING, at, promises.deaths(pause))])

    return recipe
