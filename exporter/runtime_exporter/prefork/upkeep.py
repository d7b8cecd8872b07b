"""What a worker does for the others now and then, as a collector: timed, judged and kept within the budget as any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.collectors import Collector

if TYPE_CHECKING:
    from collections.abc import Callable


class Upkeep(Collector):
    """Runs `keep_up` in the background, every `interval` seconds. It has no families: what it does shows in those of others."""

    name = "workers"

    def __init__(self, interval: float, keep_up: Callable[[], None]) -> None:
        self.interval = interval
        self.families = ()
        self._keep_up = keep_up

    def update(self) -> None:
        """Do it once."""
        self._keep_up()
