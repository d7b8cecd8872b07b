"""Context managers and decorators around a block or a function; coroutine functions are awaited."""

from __future__ import annotations

import functools
import inspect
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

F = TypeVar("F", bound="Callable[..., Any]")


class _Observed(Protocol):
    def labels(self, *args: object, **kwargs: object) -> Any: ...


def _decorate(function: F, context: Callable[[], Any]) -> F:
    """Wrap `function` so that every call runs inside a new `context()`."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with context():
                return await function(*args, **kwargs)

        return cast("F", awaited)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with context():
            return function(*args, **kwargs)

    return cast("F", called)


class Timer:
    """Measures a block in seconds and hands the duration to a method of the metric."""

    def __init__(self, metric: _Observed, method: str) -> None:
        self._metric = metric
        self._method = method
        self.duration: float | None = None

    def __enter__(self) -> Self:
        self._start = perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.duration = max(perf_counter() - self._start, 0.0)
        getattr(self._metric, self._method)(self.duration)

    def labels(self, *args: object, **kwargs: object) -> None:
        """Choose the child inside the block, when only then its labels are known."""
        self._metric = self._metric.labels(*args, **kwargs)

    def __call__(self, function: F) -> F:
        """Decorate a function or a coroutine function."""
        return _decorate(function, lambda: Timer(self._metric, self._method))


class ExceptionCounter:
    """Counts exceptions of a type that leave a block, and lets them go on."""

    def __init__(self, counter: Any, exception: type[BaseException] | tuple[type[BaseException], ...]) -> None:
        self._counter = counter
        self._exception = exception

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _: type[BaseException] | None, value: BaseException | None, __: TracebackType | None
    ) -> Literal[False]:
        if isinstance(value, self._exception):
            self._counter.inc()
        return False

    def __call__(self, function: F) -> F:
        """Decorate a function or a coroutine function."""
        return _decorate(function, lambda: self)


class InprogressTracker:
    """Holds a gauge one higher while a block runs."""

    def __init__(self, gauge: Any) -> None:
        self._gauge = gauge

    def __enter__(self) -> None:
        self._gauge.inc()

    def __exit__(self, *_: object) -> None:
        self._gauge.dec()

    def __call__(self, function: F) -> F:
        """Decorate a function or a coroutine function."""
        return _decorate(function, lambda: self)
