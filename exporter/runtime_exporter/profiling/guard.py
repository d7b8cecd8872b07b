"""Calls what may fail: the failure costs only itself, and is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import ExporterError
from runtime_exporter.logs import StateLog

if TYPE_CHECKING:
    from collections.abc import Callable


class Guard:
    """Calls functions so that none of their exceptions gets out. One for all that belongs together, as it has one log."""

    def __init__(self, log: StateLog | None = None) -> None:
        self._log = log or StateLog()

    def call(self, what: str, function: Callable[..., Any] | None, *arguments: Any) -> Any:
        """Return what the function does, or None where there is none or it fails.

        A failure of `what` is logged once, and once more when it works again.
        """
        if function is None:
            return None
        try:
            result = function(*arguments)
        except Exception as error:  # noqa: BLE001 - nothing of ours may end the thread, nor reach the application
            reason = str(error) if isinstance(error, ExporterError) else f"{type(error).__name__}: {error}"
            self._log.report(what, "failing", f"{what} failed: {reason}")
            return None
        self._log.report(what, "ok", f"{what} works again")
        return result
