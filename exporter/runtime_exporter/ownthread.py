"""A thread of the exporter's own that lasts: started once, told to end, not waited for if it hangs, and gone in the child of a fork."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runtime_exporter.costs import COSTS

if TYPE_CHECKING:
    from collections.abc import Callable


class OwnThread:
    """At most one daemon thread, which may be started again after its end. The constructor has no effects.

    It is given to whoever starts it and not to the constructor what it runs: else the two would know each other for ever.
    """

    def __init__(self, name: str, part: str) -> None:
        """`part` is whose the CPU time is, one of those in `costs`."""
        self._name = name
        self._part = part
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def running(self) -> bool:
        """Whether it has been started in this process, and not been closed since."""
        return self._thread is not None

    @property
    def stopping(self) -> bool:
        """Whether it has been told to end, and not been started since."""
        return self._stop.is_set()

    def start(self, run: Callable[..., object], *arguments: object) -> None:
        """Have `run(stop, *arguments)` called on the thread; without effect while there is one. `stop` is set when it is to end.

        Raises RuntimeError where no thread can be started: then there is none, and it may be tried again.
        """
        if self._thread is not None:
            return
        # One for each thread: what hung when it was told to end must not go on because another was started since.
        stop = self._stop = threading.Event()
        self._thread = threading.Thread(target=run, args=(stop, *arguments), name=self._name, daemon=True)
        try:
            COSTS.start(self._thread, self._part)
        except RuntimeError:
            self._thread = None
            raise

    def stop(self) -> None:
        """Tell it to end, and do not wait."""
        self._stop.set()

    def close(self, patience: float) -> bool:
        """Tell it to end and wait for that so many seconds; return whether it has ended, or is the thread that asks.

        One that hangs is left behind: it is a daemon. May be called twice, and before `start`.
        """
        thread, self._thread = self._thread, None
        self.stop()
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(patience)
        return not thread.is_alive()

    def forked(self) -> None:
        """In the child of a fork there is no thread, and what it waited for may be locked for ever. It may be started again."""
        self._thread = None
        self._stop = threading.Event()
