"""What the profiler sees: functions, locks, leaks from inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet import curves
from gauntlet.cases import Case, Draw, told

if TYPE_CHECKING:
    from gauntlet.service import Process

DOMINANT, REGRESSION, LOCK = "RuntimeProfileNewDominantFunction", "RuntimeProfileRegression", "RuntimeLockHotSpot"
SUSPECT = "RuntimeProfileLeakSuspect"


def _with_profiles(draw: Draw) -> Process:
    process = draw.process(amplitude=0.2)
    process.cores = [core + 0.1 for core in process.cores]
    process.functions = {
        "shop:render": curves.flat(draw.minutes, 0.4),
        "shop:search": curves.flat(draw.minutes, 0.02),
        "other": curves.flat(draw.minutes, 0.3),
    }
    return process


def new_dominant_function(draw: Draw) -> Case:
    process, at = _with_profiles(draw), draw.minute(26, 44)
    process.functions["shop:search"] = [
        draw.within(0.35, 0.45) if minute >= at else 0.02 for minute in range(draw.minutes)
    ]
    return draw.case(process, faults=[told(DOMINANT, at, 25)])


def confirmed_regression(draw: Draw) -> Case:
    process, at = _with_profiles(draw), draw.minute(26, 44)
    process.regressions = {"shop:render": [float(minute >= at) for minute in range(draw.minutes)]}
    return draw.case(process, faults=[told(REGRESSION, at, 5)])


def lock_hot_spot(draw: Draw) -> Case:
    process, at = _with_profiles(draw), draw.minute(26, 44)
    process.lock = [draw.within(0.2, 0.8) if minute >= at else 0.005 for minute in range(draw.minutes)]
    return draw.case(process, faults=[told(LOCK, at, 20)])


def suspected_by_the_profiler(draw: Draw) -> Case:
    """It sees objects of one type grow in a straight line, before the memory as a whole does."""
    process, at = _with_profiles(draw), draw.minute(26, 44)
    process.suspects = [float(minute >= at) for minute in range(draw.minutes)]
    return draw.case(process, faults=[told(SUSPECT, at, 20)])
