"""The frames of all threads, as far as this interpreter can show them safely."""

from __future__ import annotations

import gc
import sys
import threading
from typing import TYPE_CHECKING

from runtime_exporter.freethreading import FREE_THREADED

if TYPE_CHECKING:
    from types import FrameType


def gil_enabled() -> bool:
    """Return whether this interpreter has a GIL for good; without one, to read another thread's frame is to read freed memory."""
    return not FREE_THREADED


def current_frames() -> dict[int, FrameType]:
    """Return the frame of every thread but this one, by identifier."""
    # In CPython 3.11 a collection that starts inside the call can deadlock (python/cpython#106883).
    collecting = sys.version_info[:2] == (3, 11) and gc.isenabled()
    if collecting:
        gc.disable()
    try:
        frames = sys._current_frames()  # noqa: SLF001 - documented, and the only way to see other threads
    finally:
        if collecting:
            gc.enable()
    # Our own frame would hold the dict that holds the frame.
    frames.pop(threading.get_ident(), None)
    return frames
