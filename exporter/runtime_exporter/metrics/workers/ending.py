"""What a process says of its end while it can: afterwards nobody knows more of it than that it is gone.

What it has said last is what its life counts as when it is folded. Before it is at work it is UNKNOWN: the child of a fork that
only executes another program is no worker. At work, it says what silence would mean. When it ends in order, it says so.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LEFT: Final = "left"
"""It ended in good order: at its own end, or because it was asked to."""

DIED: Final = "died"
"""It was killed, or crashed, or an exception ended it."""

UNKNOWN: Final = "unknown"
"""It said nothing, and may have been asked to end in a way that leaves no time for a word."""

ENDS: Final = (LEFT, DIED, UNKNOWN)

_LAST: Final = -1_000_000
"""Priority of a finaliser of multiprocessing: the lowest is the last."""

_LIFE: Final = ("multiprocessing.process", "_bootstrap")
"""Where a process of multiprocessing calls its target and catches what that raises: module and function."""


def silence(status: Path = Path("/proc/self/status")) -> str:
    """Return what it means if this process is gone without another word.

    SIGTERM is how a process is asked to end. One that handles it has the time to say so: where it does not, it died, of kill -9
    (as of want of memory), of a crash in C or by os._exit. One that the kernel ends at a SIGTERM says nothing either way.
    """
    return DIED if _handles_sigterm(status) else UNKNOWN


def _handles_sigterm(status: Path) -> bool:
    try:
        # The kernel's word: uWSGI handles signals without Python's knowledge.
        masks = re.findall(r"^Sig(?:Cgt|Ign):\s*([0-9a-f]+)$", status.read_text("ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks)


def orderly() -> str:
    """Return what the end is that this process is at now, while its interpreter or its `multiprocessing.Process` ends."""
    raised = sys.exc_info()[1] or getattr(sys, "last_value", None)
    return DIED if isinstance(raised, Exception) or _PROMISES.failed() else LEFT


def _life_of_process() -> FrameType | None:
    """Return the frame in which a `multiprocessing.Process` runs from begin to end, whose child this is; None in any other."""
    thread = threading.main_thread().ident
    frame = sys._current_frames().get(thread) if thread is not None else None  # noqa: SLF001 - the way to another's frames
    while frame is not None and (frame.f_globals.get("__name__"), frame.f_code.co_name) != _LIFE:
        frame = frame.f_back
    return frame


class _Promises:
    """What is to be called when a process ends in order; its children inherit it. Also what their registries hang on."""

    def __init__(self) -> None:
        self._known = False
        self._followed = False
        self._pid = 0
        self._life: FrameType | None = None

    def keep(self, say: Callable[[], None]) -> None:
        if not self._known:
            self._known = True
            atexit.register(say)
        multiprocessing = sys.modules.get("multiprocessing.util")
        if multiprocessing is None or self._pid == os.getpid():
            return
        self._pid = os.getpid()

        def finalise(_: object) -> None:
            self._life = _life_of_process()
            multiprocessing.Finalize(None, say, exitpriority=_LAST)

        # Its processes end by os._exit, after finalisers of its own, and begin by forgetting those that were there.
        finalise(self)
        if not self._followed:
            self._followed = True
            multiprocessing.register_after_fork(self, finalise)

    def failed(self) -> bool:
        """Return whether the target of this `multiprocessing.Process` raised: since 3.13 nobody sees that exception at the end.

        The finalisers are called when it is printed and forgotten. What is left is the status, 1, in the frame that caught it, which
        is of a function that has returned, and lives on as long as somebody holds it. `sys.exit(1)` is a failure too, then.
        """
        return self._life is not None and self._life.f_locals.get("exitcode") == 1


_PROMISES = _Promises()


def promise(say: Callable[[], None]) -> None:
    """Have `say` called when this process, or a child of it, ends in order. To be called again in a child of a fork."""
    _PROMISES.keep(say)
