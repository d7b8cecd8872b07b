"""What the application registers by itself, where several workers answer for each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector

from runtime_exporter.logs import StateLog
from runtime_exporter.metrics import Metric
from runtime_exporter.metrics.exposition import expand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client keeps the numbers of several processes, by its own word."""
_REPLACED: Final = (GCCollector, PlatformCollector, ProcessCollector)
"""Collectors of prometheus_client whose families are ours, too, and then of all workers."""
_NAMED: Final = 5


class Foreign:
    """The collectors of an application's registry whose values are of all workers.

    Those of one worker only are left out: another one answers the next scrape, and a value that jumps between workers is worse than
    none. Our own metrics are not among them, since they are shared; prometheus_client's are read from its files, where it keeps some.
    """

    def __init__(self, registry: CollectorRegistry | None, environ: Mapping[str, str] = os.environ) -> None:
        self._registry = registry
        self._environ = environ
        self._log = StateLog()
        self.left_out = 0
        """How many collectors were left out when they were asked for last."""

    def collectors(self) -> tuple[Any, ...]:
        """Return what is exposed, as of now."""
        path = self._environ.get(VARIABLE, "")
        merged = _merged(path) if path else None
        registered = () if self._registry is None else tuple(expand(self._registry))
        self._note([one for one in registered if _of_one_worker(one, merged=merged is not None)])
        kept = tuple(one for one in registered if isinstance(one, MultiProcessCollector))
        return kept if merged is None else (merged,)

    def _note(self, left_out: list[Any]) -> None:
        self.left_out = len(left_out)
        if left_out:
            names = ", ".join(sorted({str(one) for one in left_out if isinstance(one, MetricWrapperBase)})[:_NAMED])
            what = f"{len(left_out)} collectors of the application{f' ({names}, …)' if names else ''}"
            advice = f"use runtime_exporter.metrics for them, or set {VARIABLE}"
            self._log.report("foreign", "left out", f"{what} are of one worker only and not exposed: {advice}")


def _merged(path: str) -> MultiProcessCollector | None:
    """Return what reads the files of prometheus_client, or None while there is no such directory."""
    try:
        return MultiProcessCollector(None, path)  # type: ignore[no-untyped-call]
    except ValueError:
        return None


def _of_one_worker(collector: Any, *, merged: bool) -> bool:
    if isinstance(collector, (Metric, MultiProcessCollector, *_REPLACED)):
        return False
    return not (merged and isinstance(collector, MetricWrapperBase))
