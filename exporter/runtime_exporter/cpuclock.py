"""What the kernel has measured: the CPU time of a thread of this process, or of another process, to the nanosecond."""

from __future__ import annotations

import time

# CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED of the kernel's include/linux/posix-timers.h: how clock ids of threads are built, in
# glibc by pthread_getcpuclockid. Unlike that call it is safe for a thread that has ended: the kernel answers EINVAL.
_PER_THREAD_SCHED = 6
# CPUCLOCK_SCHED alone: the clock of a whole process.
_SCHED = 2


def cpu_time_ns(native_id: int) -> int:
    """Return the CPU nanoseconds of a thread of this process; raises `OSError` when there is none. Linux only, 0.8 us."""
    return time.clock_gettime_ns(~native_id << 3 | _PER_THREAD_SCHED)


def process_cpu_time_ns(pid: int) -> int:
    """Return the CPU nanoseconds of a process and its ended threads, also of a zombie; raises `OSError` when there is none.

    Linux only.
    """
    return time.clock_gettime_ns(~pid << 3 | _SCHED)
