"""A timer that runs while the main thread uses CPU, and sends it a signal."""

from __future__ import annotations

import os
import signal
import struct
import sys
from typing import Any, Protocol

from runtime_exporter.errors import ProfileError


class CpuTimer(Protocol):
    """Sends SIGPROF once, after a given CPU time."""

    def open(self) -> None:
        """Get the timer from the system; raises ProfileError where there is none to have."""

    def arm(self, seconds: float) -> None:
        """Fire once after so much CPU time from now; 0 disarms."""

    def close(self) -> None:
        """Give it back. May be called twice."""


class ProcessTimer:
    """`setitimer(ITIMER_PROF)`: there is one in a process, and it counts the CPU of all threads.

    A program that this one becomes by `exec` inherits it, armed, and would die of it: `ThreadTimer` where there is one.
    """

    def open(self) -> None:
        """Refuse where somebody uses it already."""
        if signal.getitimer(signal.ITIMER_PROF) != (0.0, 0.0):
            raise ProfileError("the profiling timer ITIMER_PROF is in use")

    def arm(self, seconds: float) -> None:
        """Fire once after so much CPU time of the process."""
        signal.setitimer(signal.ITIMER_PROF, seconds)

    def close(self) -> None:
        """Disarm it."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)


# From the system's headers: signal.h, time.h and the kernel's posix-timers.h.
_SIGEV_THREAD_ID = 4
_PER_THREAD_SCHED = 6

# Native sizes and alignment, as the C compiler lays them out.
_SIGEVENT = struct.Struct("@Piii64x")
"""struct sigevent: value, signo, notify, tid, and room for what else the union has."""
_ITIMERSPEC = struct.Struct("@llll")
"""struct itimerspec: the interval in seconds and nanoseconds, then the time until the first."""


class ThreadTimer:
    """`timer_create` on the CPU clock of the main thread alone: other threads neither fire it nor delay what it measures.

    Unlike ITIMER_PROF it is nobody else's, and the kernel deletes it at `fork` and at `exec`. Linux only.
    """

    def __init__(self) -> None:
        self._library: Any = None
        self._timer: Any = None

    def open(self) -> None:
        """Make a timer for the main thread, whose number is that of the process."""
        if sys.platform != "linux":
            raise ProfileError("timers of a thread's CPU clock are known on Linux only")
        import ctypes  # 6 ms that a process without this timer has no use for

        pid = os.getpid()
        library = _library()
        event = ctypes.create_string_buffer(_SIGEVENT.pack(0, int(signal.SIGPROF), _SIGEV_THREAD_ID, pid))
        timer = ctypes.c_void_p()
        if library.timer_create(~pid << 3 | _PER_THREAD_SCHED, event, ctypes.byref(timer)):
            raise ProfileError("the system has no timer for the CPU clock of a thread")
        self._library, self._timer = library, timer

    def arm(self, seconds: float) -> None:
        """Fire once after so much CPU time of the main thread."""
        if self._timer is not None:
            whole = int(seconds)
            spec = _ITIMERSPEC.pack(0, 0, whole, int((seconds - whole) * 1e9))
            self._library.timer_settime(self._timer, 0, spec, None)

    def close(self) -> None:
        """Delete it."""
        timer, self._timer = self._timer, None
        if timer is not None:
            self._library.timer_delete(timer)

    def forget(self) -> None:
        """In the child of a fork there is no such timer, but there may be one of the same number."""
        self._timer = None


def _library() -> Any:
    """Return the library that has timer_create: libc itself, or librt beside an older glibc."""
    import ctypes

    for name in (None, "librt.so.1"):
        try:
            # Keeps the GIL: to let go of it within a signal handler would hand the CPU to another thread at each sample.
            library = ctypes.PyDLL(name)
        except OSError:
            continue
        if hasattr(library, "timer_create"):
            return library
    raise ProfileError("the C library has no timer_create")


def best_timer() -> CpuTimer:
    """Return an opened timer; raises ProfileError where there is none to have."""
    try:
        timer = ThreadTimer()
        timer.open()
    except (ProfileError, OSError):
        fallback = ProcessTimer()
        fallback.open()
        return fallback
    return timer
