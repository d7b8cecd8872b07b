"""The child of a fork becomes a process that is watched by itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import BACKGROUND, COSTS

if TYPE_CHECKING:
    from collections.abc import Callable

MOMENT_SECONDS: Final = 1.0
"""A child that only calls exec, or ends at once, is not worth more than one thread that waits."""


def restart_soon(restart: Callable[[], None]) -> None:
    """Call `restart` on a thread of its own when this process has lived for a moment. It may use the exporter's locks: they are new."""
    pause = threading.Event()

    def wait() -> None:
        pause.wait(MOMENT_SECONDS)
        restart()

    COSTS.start(threading.Thread(target=wait, name="runtime-exporter-restart", daemon=True), BACKGROUND)
