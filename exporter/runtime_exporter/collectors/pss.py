"""Proportional memory: what the process would free if it went, pages shared with forked siblings counted by their share."""

from __future__ import annotations

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.collectors.sources.procfs import ProcFile, kilobytes
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Gauge


class PssCollector(Collector):
    """Linux 4.14 and later. In the background: the kernel walks all page tables, about 1 ms for each 100 MB."""

    name = "pss"
    interval = 15.0

    def __init__(self, *, proc: str = "/proc") -> None:
        self._rollup = ProcFile(f"{proc}/self/smaps_rollup")
        self._memory = Gauge(
            "process_proportional_memory_bytes",
            "Resident memory with every shared page divided by the number of its users (PSS), in bytes.",
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self.families = (self._memory,)

    def update(self) -> None:
        """Read the sum over all mappings."""
        try:
            value = kilobytes(self._rollup.read(), b"Pss")
        except (FileNotFoundError, PermissionError) as closed:
            raise NoData(f"{self._rollup.path}: {closed.strerror}") from closed
        if value is None:
            raise ValueError(f"{self._rollup.path} has no line Pss")
        self._memory.set(value)

    def close(self) -> None:
        """Close the file that stays open between updates."""
        self._rollup.close()
