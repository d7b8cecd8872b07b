"""Threads by what they do: how many, since when, and what CPU they use."""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.collectors.sources.task_files import TaskFiles, seconds_since_boot
from runtime_exporter.collectors.sources.thread_clocks import ThreadClocks
from runtime_exporter.metrics import Counter, Gauge
from runtime_exporter.metrics.bounded import BoundedLabel
from runtime_exporter.profiling.threadclock import native_threads
from runtime_exporter.profiling.threadgroup import DEFAULT_THREAD_NAME, thread_group, without_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NATIVE = "native"


class _Known(NamedTuple):
    """What was found out about a live thread: its name (which may change), its group, when it started (seconds)."""

    name: str
    group: str
    started: float


class ThreadsCollector(Collector):
    """Python's threads from `threading.enumerate()`, the CPU of all threads of the process from the kernel's clocks.

    python_threads_started_total needs no patching: `threading` numbers the threads that get no name of their own, which
    counts every one of those, however short-lived; threads with a name are counted when a scrape sees them first. So a named
    thread that lives only between two scrapes is missed, and an unnamed `Thread` that is made but never started is counted.
    """

    name = "threads"
    interval = None

    def __init__(
        self,
        limit: int = 30,
        *,
        module: Any = threading,
        proc: str = "/proc",
        uptime: Callable[[], float] = seconds_since_boot,
        clocks: ThreadClocks | None = None,
        platform: str = sys.platform,
        pid: Callable[[], int] = os.getpid,
    ) -> None:
        self._module = module
        self._proc = proc
        self._uptime = uptime
        self._linux = platform == "linux"
        self._pid = pid
        self._tasks = TaskFiles(proc)
        self._clocks = clocks or ThreadClocks()
        self._label = BoundedLabel(limit)
        self._known: dict[int, _Known] = {}
        self._groups: dict[int, str] = {}
        self._named = 0
        self._numbered_before = 0
        self._threads = Gauge(
            "python_threads",
            "Live Python threads.",
            ["group", "daemon"],
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._started = Counter(
            "python_threads_started_total", "Python threads started.", registry=None, per_worker=True
        )
        self._oldest = Gauge(
            "python_thread_oldest_age_seconds",
            "Age of the oldest thread of the group.",
            ["group"],
            registry=None,
            multiprocess_mode="livemax",
            per_worker=True,
        )
        self._cpu = Counter(
            "process_thread_cpu_seconds_total",
            "CPU time in seconds, by group of threads.",
            ["group"],
            registry=None,
            per_worker=True,
        )
        self._cpu.hidden = not self._linux
        self.families = (self._threads, self._started, self._oldest, self._cpu)

    def update(self) -> None:
        """Look at all threads once."""
        # Listed before Python's view: a thread that starts in between is then in neither, and not taken for a foreign one.
        tids = native_threads(self._proc) if self._linux else []
        threads = self._module.enumerate()
        self._meet(threads)
        self._count(threads)
        self._started.set_total(self._named + self._numbered() - self._numbered_before)
        if self._linux:
            self._groups = {tid: self._group(tid) for tid in tids}
            for group, seconds in self._clocks.look(self._groups.items()).items():
                self._cpu.labels(group).set_total(seconds)

    def forked(self) -> None:
        """Forget the parent's threads and what was counted of them."""
        self._known, self._groups = {}, {}
        self._named, self._numbered_before = 0, self._numbered()
        self._clocks.forget()
        for family in (self._threads, self._oldest, self._cpu):
            family.clear()

    def folded(self) -> Mapping[str, int]:
        """Return how many looks at a thread ended in the group `other`."""
        return {"python_threads": self._label.folded}

    def _meet(self, threads: list[threading.Thread]) -> None:
        """Bring what is known about the live threads up to date; forget the others."""
        before, self._known = self._known, {}
        main = self._module.main_thread()
        for thread in threads:
            tid = self._native_id(thread)
            if tid is None:
                continue
            known = before.get(tid)
            if known is None:
                started = self._tasks.started(tid) if self._linux else None
                known = _Known(thread.name, self._fold(thread), self._uptime() if started is None else started)
                self._named += thread is not main and not DEFAULT_THREAD_NAME.fullmatch(thread.name)
            elif known.name != thread.name:
                known = _Known(thread.name, self._fold(thread), known.started)
            self._known[tid] = known

    def _native_id(self, thread: threading.Thread) -> int | None:
        """Return the system's number of a thread. After a fork `native_id` of the main one is still what it was in the parent."""
        return self._pid() if self._linux and thread is self._module.main_thread() else thread.native_id

    def _fold(self, thread: threading.Thread) -> str:
        return self._label.fold(thread_group(thread))

    def _count(self, threads: list[threading.Thread]) -> None:
        """Set the gauges. A group that had threads once stays, at zero; its age goes."""
        counts: dict[tuple[str, str], int] = dict.fromkeys(self._threads.family.children, 0)  # type: ignore[arg-type]
        oldest: dict[str, float] = {}
        for thread in threads:
            known = self._known.get(self._native_id(thread) or 0)
            if known is not None:
                labels = (known.group, "true" if thread.daemon else "false")
                counts[labels] = counts.get(labels, 0) + 1
                oldest[known.group] = min(known.started, oldest.get(known.group, known.started))
        for labels, count in counts.items():
            self._threads.labels(*labels).set(count)
        now = self._uptime()
        for group, started in oldest.items():
            self._oldest.labels(group).set(max(0.0, now - started))
        for (group,) in self._oldest.family.children.keys() - {(group,) for group in oldest}:
            self._oldest.remove(group)

    def _group(self, tid: int) -> str:
        """Return the group of a thread of the process, also of one that Python does not know (yet, or any more)."""
        known = self._known.get(tid)
        if known is not None:
            return known.group
        # A Python thread that is about to end has left `threading` already: it stays where it was.
        return self._groups.get(tid) or self._label.fold(without_numbers(self._tasks.own_name(tid) or NATIVE))

    def _numbered(self) -> int:
        """Return how many threads got a number for a name; 0 where this Python counts in another way."""
        match = re.fullmatch(
            r"count\((\d+)\)", repr(getattr(getattr(self._module, "_counter", None), "__self__", None))
        )
        return int(match[1]) - 1 if match else 0
