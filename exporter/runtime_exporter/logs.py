"""The exporter's own log: one logger, text or JSON, one line for a change of state, none for a request.

The logger is "runtime_exporter", and its records propagate as any library's do, so an application that configured logging finds
them in its own log, in its own format. Only where nobody would write them (no handler on the way up to the root) does
`configure` attach one that writes to standard error, and that one falls silent once the application configures its own. The root logger and the application's handlers are never touched.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

LOGGER = logging.getLogger("runtime_exporter")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_SECONDS_UTC = "%Y-%m-%dT%H:%M:%S"


def configure(*, level: str = "info", form: str = "text") -> None:
    """Set the level of our logger and, where the application configured no handler, how it writes to standard error."""
    LOGGER.setLevel(level.upper())
    for handler in [handler for handler in LOGGER.handlers if isinstance(handler, _OwnHandler)]:
        LOGGER.removeHandler(handler)
    if not LOGGER.hasHandlers():
        handler = _OwnHandler()
        handler.setFormatter(JSONFormatter() if form == "json" else _text_formatter())
        LOGGER.addHandler(handler)


def printable(text: str, longest: int = 200) -> str:
    """Return somebody else's text as it may be logged and shown in a terminal: one line, not too long, without controls."""
    return "".join(char if char.isprintable() else "?" for char in text[:longest])


class StateLog:
    """Logs a state of something when it changes, not each time that it is seen.

    The first state of a key is logged only when it is not the `normal` one: that all is well at the start is no news.
    """

    def __init__(self, normal: Hashable = "ok", logger: logging.Logger = LOGGER) -> None:
        self._normal = normal
        self._logger = logger
        self._states: dict[Hashable, Hashable] = {}
        self._lock = threading.Lock()

    def report(self, key: Hashable, state: Hashable, message: str, *, level: int | None = None) -> bool:
        """Log `message` where `state` is another one than the last for `key`; return whether it was.

        The level is INFO for the normal state and WARNING for every other, unless given.
        """
        with self._lock:
            changed = self._states.get(key, self._normal) != state
            self._states[key] = state
        if changed:
            default = logging.INFO if state == self._normal else logging.WARNING
            self._logger.log(default if level is None else level, "%s", message)
        return changed


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time (UTC, RFC 3339), level, logger, message, and the exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        fields = {
            "time": f"{time.strftime(_SECONDS_UTC, time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class _OwnHandler(logging.Handler):
    """Writes to whatever is standard error at that moment, as logging.lastResort does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, unless somebody else does by now; what fails is for logging's own error handling."""
        if _heard_by_others():
            return
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a log line never raises into the application
            self.handleError(record)


def _heard_by_others() -> bool:
    """Return whether there is a handler of the application's for our records: it may configure logging after our start."""
    parent = LOGGER.parent
    foreign = any(not isinstance(handler, _OwnHandler) for handler in LOGGER.handlers)
    return foreign or (LOGGER.propagate and parent is not None and parent.hasHandlers())


def _text_formatter() -> logging.Formatter:
    formatter = logging.Formatter(_TEXT, datefmt=f"{_SECONDS_UTC}Z")
    formatter.converter = time.gmtime
    return formatter
