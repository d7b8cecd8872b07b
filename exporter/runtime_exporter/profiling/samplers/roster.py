"""Which Python threads there are: the number of each in the kernel, its group, and whether it is ours."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.profiling.samplers.sampler import OWN_THREADS
from runtime_exporter.profiling.threadgroup import thread_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

UNNAMED = "unnamed"
"""The group of threads that were started beside `threading`."""


class Member(NamedTuple):
    """A thread: its native id (0 where unknown), its name, its group, whether it is one of ours."""

    native_id: int
    name: str
    group: str
    own: bool


class Roster:
    """The threads by identifier, as of the last `refresh()`."""

    def __init__(
        self,
        *,
        enumerate_threads: Callable[[], Iterable[threading.Thread]] = threading.enumerate,
        main_thread: Callable[[], threading.Thread] = threading.main_thread,
        pid: Callable[[], int] = os.getpid,
        platform: str = sys.platform,
    ) -> None:
        self._enumerate = enumerate_threads
        self._main_thread = main_thread
        self._pid = pid
        self._linux = platform == "linux"
        self.members: Mapping[int, Member] = {}

    def refresh(self) -> None:
        """Look who is there."""
        main = self._main_thread()
        self.members = {
            thread.ident: self._member(thread, main) for thread in self._enumerate() if thread.ident is not None
        }

    def member(self, ident: int) -> Member:
        """Return a thread, also one that `threading` does not know."""
        return self.members.get(ident) or Member(0, "", UNNAMED, own=False)

    def _member(self, thread: threading.Thread, main: threading.Thread) -> Member:
        # After a fork `native_id` of the main thread is still what it was in the parent.
        native_id = self._pid() if self._linux and thread is main else thread.native_id or 0
        known = self.members.get(thread.ident or 0)
        if known is not None and known.name == thread.name:
            return known._replace(native_id=native_id)
        own = thread.name.startswith(OWN_THREADS)
        return Member(native_id, thread.name, OWN_THREADS if own else thread_group(thread), own)
