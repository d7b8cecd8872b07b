"""Which frames a rule is about: names of functions, exactly or by their beginning."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runtime_exporter.profiling.profile import Frame, Stack


class Frames:
    """A set of functions: `module:qualname` (Go: the plain name) exactly, or all that begin so when a `*` ends the pattern.

    Interpreters before 3.11 know no qualified names, so the method `logging:Logger._log` is met as `logging:_log`, too.
    """

    def __init__(self, *patterns: str) -> None:
        self.patterns = patterns
        exact = [pattern for pattern in patterns if not pattern.endswith("*")]
        self._prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
        self._exact = frozenset(exact) | {_unqualified(pattern) for pattern in exact}

    def __call__(self, frame: Frame) -> bool:
        """Return whether the frame is one of these functions."""
        return self.has(frame.name)

    def has(self, name: str) -> bool:
        """Return whether a function of this name is one of them."""
        return name in self._exact or name.startswith(self._prefixes)

    def among(self, names: Sequence[str]) -> Iterator[str]:
        """Yield those of the sorted `names` that are of these functions, without a look at all of them; some come twice."""
        for beginning in (*self._exact, *self._prefixes):
            place = bisect_left(names, beginning)
            while place < len(names) and (name := names[place]).startswith(beginning):
                if self.has(name):
                    yield name
                place += 1

    def __or__(self, other: Frames) -> Frames:
        """Return the functions of both."""
        return Frames(*self.patterns, *other.patterns)

    def at_leaf(self, stack: Stack) -> bool:
        """Return whether the stack ends in one of these functions."""
        return bool(stack) and self(stack[0])


def package(*names: str) -> Frames:
    """Return everything in these Python packages and modules."""
    return Frames(*(pattern for name in names for pattern in (f"{name}:*", f"{name}.*")))


IMPORTING: Final = package("importlib") | Frames("_frozen_importlib:*", "_frozen_importlib_external:*")
"""Also under the names that the frozen modules have until somebody imports importlib."""


def _unqualified(name: str) -> str:
    module, colon, qualname = name.partition(":")
    return f"{module}:{qualname.rpartition('.')[2]}" if colon else name
