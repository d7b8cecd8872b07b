"""The end of a verb that serves: a signal."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_TICK_SECONDS = 0.5


class Ending:
    """Waits for SIGINT or SIGTERM, taken from the moment that this is made."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._number = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)

    def wait(self) -> None:
        """Return when a service manager asks to end; raise KeyboardInterrupt when somebody at the keyboard does."""
        while not self._ended.wait(_TICK_SECONDS):
            pass
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt

    def _end(self, number: int, _: FrameType | None) -> None:
        self._number = self._number or number
        self._ended.set()
