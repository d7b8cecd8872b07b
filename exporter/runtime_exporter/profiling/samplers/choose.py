"""Which sampler: the first of the order that works here, and of those before it the reason why they do not."""

from __future__ import annotations

import random
import signal
import threading
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.nearest import did_you_mean
from runtime_exporter.profiling.samplers import pyspy, remote
from runtime_exporter.profiling.samplers.chosen import ChosenSampler, in_process
from runtime_exporter.profiling.samplers.cputimer import best_timer
from runtime_exporter.profiling.samplers.frames import gil_enabled
from runtime_exporter.profiling.samplers.pace import USUAL_HZ, Pace
from runtime_exporter.profiling.samplers.signal import SignalSampler
from runtime_exporter.profiling.samplers.thread import FIRST_HZ, LOWEST_HZ, ThreadSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.profiling.samplers.sampler import Sampler

ORDER = (remote.NAME, pyspy.NAME, SignalSampler.name, ThreadSampler.name)
"""Best first: without bias for all threads, then for the main one, then with bias."""

# Each look costs some 0.3 ms where the GIL is to be had, and waits that matter are longer than the time between two.
_WAITING_HZ = 10.0

_HELPER_LOOK_SECONDS = 0.001
"""What a look of a helper costs at most, usually: it begins at the rate that its budget pays for, as its first window has no other."""

USUAL_BUDGET, USUAL_HELPER_BUDGET = 0.0045, 0.01
"""What sampling may use of a core where `overhead_budget` is 1 %, in a process whose other parts need nothing, and in its helper."""


def choose(
    names: Sequence[str] = ORDER,
    *,
    rate: float = USUAL_HZ,
    budget: float = USUAL_BUDGET,
    helper_budget: float = USUAL_HELPER_BUDGET,
    wall: bool = True,
    tests: Mapping[str, Callable[[], None]] | None = None,
    chance: random.Random | None = None,
) -> ChosenSampler:
    """Return the first of `names` whose self-test passes, with a sampler of waiting threads beside it if `wall`.

    `rate` is in Hz; `budget` is the share of one core for this process, and `helper_budget` that for a helper. To be
    called on the main thread for "signal" to be among the possible. Raises ProfileError when none works, with every reason.
    """
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        raise ProfileError(
            f"there is no sampler {unknown[0]!r}{did_you_mean(unknown[0], ORDER)}: there are {', '.join(ORDER)}"
        )
    tests = tests or SELF_TESTS
    passed_over: dict[str, str] = {}
    for name in names:
        try:
            tests[name]()
        except (ProfileError, OSError) as error:
            passed_over[name] = str(error)
            continue
        return _made(name, passed_over, rate=rate, budget=budget, helper_budget=helper_budget, wall=wall, chance=chance)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in passed_over.items())
    raise ProfileError(f"no sampler works here: {reasons}")


def check_signal() -> None:
    """Raise ProfileError where the signal sampler cannot be started."""
    if threading.current_thread() is not threading.main_thread():
        raise ProfileError("signals can be handled on the main thread only, and this is another one")
    if signal.getsignal(signal.SIGPROF) is not signal.SIG_DFL:
        raise ProfileError("SIGPROF is handled by somebody else")
    best_timer().close()


def check_thread() -> None:
    """Raise ProfileError where other threads' frames cannot be read."""
    if not gil_enabled():
        raise ProfileError("without a GIL other threads' frames are not safe to read")


SELF_TESTS: Mapping[str, Callable[[], None]] = {
    remote.NAME: remote.self_test,
    pyspy.NAME: pyspy.self_test,
    SignalSampler.name: check_signal,
    ThreadSampler.name: check_thread,
}
"""Name -> a try at what its sampler will do, which raises ProfileError with the reason why it would not work."""


def _made(
    name: str,
    passed_over: Mapping[str, str],
    *,
    rate: float,
    budget: float,
    helper_budget: float,
    wall: bool,
    chance: random.Random | None,
) -> ChosenSampler:
    """Return the sampler of that name. Two in this process share the budget."""
    chance = chance or random.Random()  # noqa: S311 - moments of samples, no secrets
    if name == ThreadSampler.name:
        return ChosenSampler(_thread_sampler(rate, budget, chance), None, passed_over)
    watches = wall and gil_enabled()
    backend: Sampler
    budget /= in_process(waits=watches)
    if name == SignalSampler.name:
        backend = SignalSampler(pace=Pace(rate=rate, budget=budget, chance=chance))
    else:
        make = pyspy.sampler if name == pyspy.NAME else remote.sampler
        pace = Pace(rate=rate, budget=helper_budget, first=helper_budget / _HELPER_LOOK_SECONDS, chance=chance)
        backend = make(pace=pace)
    waiting = _thread_sampler(min(rate, _WAITING_HZ), budget, chance) if watches else None
    return ChosenSampler(backend, waiting, passed_over)


def _thread_sampler(rate: float, budget: float, chance: random.Random) -> ThreadSampler:
    return ThreadSampler(pace=Pace(rate=rate, budget=budget, lowest=LOWEST_HZ, first=FIRST_HZ, chance=chance))
