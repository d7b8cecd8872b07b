"""The series of one target: what its profiles say, and of a process of this machine what the kernel says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runtime_exporter.agent.process import ProcessTarget
from runtime_exporter.collectors.memory import MemoryCollector
from runtime_exporter.collectors.process import ProcessCollector
from runtime_exporter.collectors.profiles import ReportCollector
from runtime_exporter.collectors.sources.process import foreign_process
from runtime_exporter.collectors.supervision.member import Member

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runtime_exporter.agent.processes import Process
    from runtime_exporter.agent.watcher import Watcher
    from runtime_exporter.metrics.exposition import Format
    from runtime_exporter.profiling.captures import Captures


class TargetMetrics:
    """Brought up to date by each scrape, one at a time. A collector that fails costs its own families."""

    def __init__(self, watcher: Watcher, captures: Captures | None = None) -> None:
        """`captures` is what takes profiles for alerts; they are counted, too."""
        self._watcher = watcher
        profiles = ReportCollector(watcher)
        profiles.captures = captures
        self._profiles = Member(profiles)
        self._of: Process | None = None
        self._process: Sequence[Member] = ()
        self._lock = threading.Lock()

    def expose(self, form: Format, names: Collection[str] | None = None) -> bytes:
        """Return the exposition in a format; with `names`, only the families and samples that are called so."""
        with self._lock:
            self._follow()
            members = (self._profiles, *self._process)
            for member in members:
                member.run()
            return form.render([family for member in members for family in member.families], names)

    def close(self) -> None:
        """Close the files of /proc that stay open between scrapes."""
        with self._lock:
            self._drop()

    def _follow(self) -> None:
        """Look at the process that the target is now."""
        source = self._watcher.source
        process = source.process if isinstance(source, ProcessTarget) else None
        if process == self._of:
            return
        self._drop()
        self._of = process
        if process is not None:
            read, close = foreign_process(process.pid)
            self._process = (
                Member(ProcessCollector(read, close=close)),
                Member(MemoryCollector(pid=process.pid)),
            )

    def _drop(self) -> None:
        for member in self._process:
            member.close()
        self._process, self._of = (), None
