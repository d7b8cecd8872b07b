"""Targets that do not answer, are gone, or start again and again."""

from __future__ import annotations

from gauntlet.cases import Case, Draw, told
from gauntlet.faults.memory import LEAK
from gauntlet.faults.process import CPU
from gauntlet.faults.requests import TRAFFIC
from gauntlet.quiet import starting

DOWN, RESTARTING = "RuntimeTargetDown", "RuntimeRestarting"


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
