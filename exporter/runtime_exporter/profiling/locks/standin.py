"""What stands in for threading.Lock and its like while locks are profiled: the same to who creates, asks or derives."""

from __future__ import annotations

import sys
from abc import ABCMeta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class StandIn(ABCMeta):
    """The type of the stand-ins.

    A stand-in for a class is derived from it, so that whatever takes a class takes it: annotations, `isinstance`, subclasses
    (whose instances are not profiled). It is of ABCMeta, so that it gets on with abstract base classes.
    """

    original: Any
    instance: type
    make: Callable[[FrameType, tuple[Any, ...], dict[str, Any]], Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Create what the creator is to have."""
        if "make" not in cls.__dict__:
            return super().__call__(*args, **kwargs)
        return cls.make(sys._getframe(1), args, kwargs)  # noqa: SLF001 - the only way to who creates the lock

    def __instancecheck__(cls, instance: Any) -> bool:
        if "make" not in cls.__dict__:
            return super().__instancecheck__(instance)
        return isinstance(instance, cls.instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if "make" not in cls.__dict__:
            return super().__subclasscheck__(subclass)
        return issubclass(subclass, cls.instance)


def stand_in(
    original: Any, instance: type, make: Callable[[FrameType, tuple[Any, ...], dict[str, Any]], Any]
) -> StandIn:
    """Return what to put in the place of `original`, which makes an `instance`; `make` gets the creator's frame and arguments."""
    bases = (original,) if isinstance(original, type) and original.__flags__ & _MAY_HAVE_SUBCLASSES else ()
    body = {
        "__module__": original.__module__,
        "__qualname__": original.__qualname__,
        "__doc__": original.__doc__,
        "original": original,
        "instance": instance,
        "make": staticmethod(make),
    }
    return StandIn(original.__name__, bases, body)


_MAY_HAVE_SUBCLASSES = 1 << 10  # Py_TPFLAGS_BASETYPE of CPython's object.h
