"""The profilers that benchmarks/profiled.py has: our samplers and the peers, switched on and off in one way."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Protocol

from benchmarks.uploads import Uploads
from runtime_exporter.profiling.samplers import pyspy
from runtime_exporter.profiling.samplers.choose import choose
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.signal import SignalSampler
from runtime_exporter.profiling.samplers.thread import ThreadSampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.samplers.sampler import Sampler


def bare(name: str, rate: float) -> Sampler:
    """Return one of our samplers by itself, at a fixed rate."""
    pace = Pace(rate=rate, highest=rate, budget=math.inf)
    if name == "thread":
        return ThreadSampler(pace=pace)
    return SignalSampler(pace=pace) if name == "signal" else pyspy.sampler(pace=pace)


class Profiler(Protocol):
    """What is switched on and off.

    `learned()` makes later starts begin with the rate that it has come to; `taken()` returns the CPU seconds that it took since
    the start or the last call by its own account, on the program's thread (a signal's handler) and in a helper. `looks()` returns,
    after the first stop, how often a second it has looked for stacks that run by its own count; 0 if it does not tell.
    """

    def start(self) -> object: ...
    def stop(self) -> object: ...
    def learned(self) -> None: ...
    def taken(self) -> tuple[float, float]: ...
    def looks(self) -> float: ...


class Nothing:
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def learned(self) -> None: ...
    def taken(self) -> tuple[float, float]:
        return 0.0, 0.0

    def looks(self) -> float:
        return 0.0


class Ours:
    """A sampler as a process has it: chosen by name, 20 Hz at most, with the budgets that there are by default."""

    def __init__(self, name: str) -> None:
        self._sampler = choose((name,))
        self._looks = 0.0

    def start(self) -> None:
        self._sampler.start()

    def stop(self) -> None:
        self._sampler.close()

    def learned(self) -> None:
        for part in (self._sampler.backend, self._sampler.waiting):
            pace = getattr(part, "_pace", None)
            if isinstance(pace, Pace):
                pace.first = pace.rate

    def taken(self) -> tuple[float, float]:
        window = self._sampler.backend.take()
        self._looks = window.samples / window.seconds if window.seconds else 0.0
        on_the_programs = window.own_cpu_ns if isinstance(self._sampler.backend, SignalSampler) else 0
        return on_the_programs / 1e9, window.helper_cpu_ns / 1e9

    def looks(self) -> float:
        return self._looks


class DDTrace(Nothing):
    """Its stack profiler alone. What it uploads, once, before anything is compared, says how often it has looked."""

    def __init__(self) -> None:
        self._uploads = Uploads()
        self._looks: float | None = None
        for name in ("MEMORY", "LOCK", "PYTORCH", "EXCEPTION"):
            os.environ[f"DD_PROFILING_{name}_ENABLED"] = "false"
        os.environ |= {"DD_TRACE_AGENT_URL": self._uploads.url, "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}
        from ddtrace.profiling import Profiler as Theirs  # type: ignore[import-not-found,unused-ignore]

        self._make = Theirs

    def start(self) -> None:
        self._profiler = self._make()
        self._profiler.start()
        self._began = time.monotonic()

    def stop(self) -> None:
        passed = time.monotonic() - self._began
        self._profiler.stop(flush=self._looks is None)
        if self._looks is None:
            self._looks = self._uploads.number(b"sampling_event_count") / passed

    def looks(self) -> float:
        return self._looks or 0.0


class Pyroscope(Nothing):
    """Its default: py-spy's code as a thread of this process, 100 Hz."""

    def __init__(self) -> None:
        import pyroscope  # type: ignore[import-not-found,unused-ignore]

        self._module = pyroscope

    def start(self) -> None:
        self._module.configure(application_name="benchmark", server_address="http://127.0.0.1:9")

    def stop(self) -> None:
        self._module.shutdown()


PROFILERS: dict[str, Callable[[], Profiler]] = {
    "none": Nothing,
    "thread": lambda: Ours("thread"),
    "signal": lambda: Ours("signal"),
    "py-spy": lambda: Ours("py-spy"),
    "ddtrace": DDTrace,
    "pyroscope-io": Pyroscope,
}
