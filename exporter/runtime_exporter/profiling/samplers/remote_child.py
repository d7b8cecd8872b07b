"""The program of the `remote` helper: looks at another Python process, and writes what it saw as collapsed stacks when interrupted.

Run by path with `python -I -S remote_child.py PID RATE OUTPUT`, so it knows the standard library only. A rate of 0 looks once,
at idle threads, too.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The memory of a process that runs is read while it changes: a look that fails is left out.
TORN = (RuntimeError, UnicodeDecodeError, MemoryError, OSError)


def stacks(trace: Any) -> Iterator[tuple[int, str]]:
    """Yield each thread's native id and its collapsed stack, root first, from what `get_stack_trace()` returns.

    CPython 3.14 returns threads, 3.15 interpreters with threads; a frame has a line number in the former, a location in the latter.
    """
    for entry in trace:
        for thread in getattr(entry, "threads", (entry,)):
            frames = [_frame(frame) for frame in reversed(thread.frame_info)]
            if frames:
                yield thread.thread_id, ";".join(frames)


def _frame(frame: Any) -> str:
    line = getattr(frame, "lineno", None)
    if line is None:
        location = getattr(frame, "location", None)
        line = location[0] if location else 0
    # What would end a frame or a stack in this format is no part of any sane file name.
    name, file = (str(text).replace(";", ":").replace("\n", " ") for text in (frame.funcname, frame.filename))
    return f"{name} ({file}:{line})"


def is_running(pid: int, tid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether a thread has a CPU or waits for one."""
    try:
        # The name, in brackets, may hold anything; the state is what follows.
        return (proc / str(pid) / "task" / str(tid) / "stat").read_text().rpartition(") ")[2].startswith("R")
    except OSError:
        return False


def record(
    look: Callable[[], Any],
    running: Callable[[int], bool],
    rate: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    gap: Callable[[float], float] = random.expovariate,
) -> Counter[str]:
    """Look until interrupted or until the process has ended; return how often each stack was seen of a running thread."""
    seen: Counter[str] = Counter()
    try:
        while True:
            sleep(gap(rate))
            try:
                trace = look()
            except ProcessLookupError:
                break
            except TORN:
                continue
            seen.update(f"thread ({tid});{stack}" for tid, stack in stacks(trace) if running(tid))
    except KeyboardInterrupt:
        pass
    return seen


def main(arguments: list[str]) -> None:
    """Do what the arguments say: PID, rate in Hz, file for the result."""
    import _remote_debugging  # type: ignore[import-not-found,unused-ignore] # there is none before 3.14

    pid, rate, output = int(arguments[0]), float(arguments[1]), arguments[2]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unwinder = _remote_debugging.RemoteUnwinder(pid, all_threads=True)
    if rate > 0:
        seen = record(unwinder.get_stack_trace, lambda tid: is_running(pid, tid), rate)
    else:
        seen = Counter(f"thread ({tid});{stack}" for tid, stack in stacks(unwinder.get_stack_trace()))
    with Path(output).open("w", encoding="utf-8") as file:
        file.writelines(f"{stack} {count}\n" for stack, count in seen.items())


if __name__ == "__main__":
    main(sys.argv[1:])
