"""Exceptions that nobody caught, by type and by where they ended."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.collectors.sources.names import type_name
from runtime_exporter.metrics import Counter
from runtime_exporter.metrics.bounded import BoundedLabel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Between two looks; what is more is lost rather than kept.
_PENDING_MOST = 10_000


class ExceptionsCollector(Collector):
    """Goes before the three hooks of the interpreter, which are called as ever, and gives them back at `close`.

    The hooks only put a name into a queue: an unraisable exception may come out of a finaliser, hence at any moment, with any
    lock held. The scrape counts what is in the queue.
    """

    name = "exceptions"
    interval = None

    def __init__(self, limit: int = 100, *, system: Any = sys, threads: Any = threading) -> None:
        self._label = BoundedLabel(limit)
        self._pending: deque[tuple[str, str]] = deque(maxlen=_PENDING_MOST)
        self._hooks = (
            _Hook(system, "excepthook", "main", self._record),
            _Hook(threads, "excepthook", "thread", self._record),
            _Hook(system, "unraisablehook", "unraisable", self._record),
        )
        self._exceptions = Counter(
            "python_exceptions_total",
            "Exceptions that nobody caught.",
            ["type", "origin"],
            registry=None,
            per_worker=True,
        )
        self.families = (self._exceptions,)

    def start(self) -> None:
        """Install the hooks."""
        for hook in self._hooks:
            hook.install()

    def close(self) -> None:
        """Give the hooks back, and count what they recorded last."""
        for hook in self._hooks:
            hook.restore()
        self.update()

    def update(self) -> None:
        """Count what was recorded since the last time."""
        with contextlib.suppress(IndexError):
            while True:
                name, origin = self._pending.popleft()
                self._exceptions.labels(self._label.fold(name), origin).inc()

    def folded(self) -> Mapping[str, int]:
        """Return how many exceptions were counted as of the type `other`."""
        return {"python_exceptions_total": self._label.folded}

    def _record(self, origin: str, kind: type[BaseException]) -> None:
        self._pending.append((type_name(kind), origin))


class _Hook:
    """One hook of the interpreter: a function in a module that is called with the exception."""

    def __init__(
        self, module: Any, attribute: str, origin: str, record: Callable[[str, type[BaseException]], None]
    ) -> None:
        self._module = module
        self._attribute = attribute
        self._origin = origin
        self._record = record
        self._active = False
        self._previous: Callable[..., Any] | None = None

    def install(self) -> None:
        self._active = True
        if self._previous is None:
            self._previous = getattr(self._module, self._attribute)
            setattr(self._module, self._attribute, self)

    def restore(self) -> None:
        """Put back what was there, unless somebody else came after us: then this stays in the chain and only passes on."""
        self._active = False
        if getattr(self._module, self._attribute) is self:
            setattr(self._module, self._attribute, self._previous)
            self._previous = None

    def __call__(self, *arguments: Any) -> Any:
        """Record the exception and go on with the hook that was there before."""
        if self._active:
            with contextlib.suppress(Exception):
                self._see(arguments)
        return self._previous(*arguments) if self._previous is not None else None

    def _see(self, arguments: tuple[Any, ...]) -> None:
        # sys.excepthook is called with (type, value, traceback), the two others with one object that has exc_type.
        kind = arguments[0] if self._origin == "main" else arguments[0].exc_type
        # A thread that ends itself by SystemExit does what it wants.
        if not (self._origin == "thread" and issubclass(kind, SystemExit)):
            self._record(self._origin, kind)
