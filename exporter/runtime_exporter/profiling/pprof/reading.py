"""What every part of a profile is read with: its strings and numbers, and how many entries there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pprof.wire import Varints, signed
from runtime_exporter.profiling.profile import Function, Location, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterable

_Entry = TypeVar("_Entry", Mapping, Function, Location)


class Reading:
    """One profile while it is read."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._left = entries
        self.strings: Final[list[str]] = []
        self.varints: Final = Varints()

    def spend(self, entries: int = 1) -> None:
        """Count entries: since a few bytes can ask for a large value, a limit of bytes is no limit of memory."""
        self._left -= entries
        if self._left < 0:
            raise ProfileError(f"the profile has more than {self._entries} entries, which nothing real of its size has")

    def string(self, index: int) -> str:
        """Return the string of a number. Raises ProfileError where there is none."""
        if not index and not self.strings:
            return ""
        try:
            return self.strings[index]
        except IndexError:
            raise ProfileError(
                f"the profile is damaged: it has {len(self.strings)} strings, and something is called by number {signed(index)}"
            ) from None


def by_id(noun: str, entries: Iterable[_Entry]) -> dict[int, _Entry]:
    """Return entries by their ids. Raises ProfileError for an id that is 0, and for one that two have."""
    found: dict[int, _Entry] = {}
    for entry in entries:
        id_ = entry[0]
        if not id_:
            raise ProfileError(f"the profile is damaged: a {noun} has the id 0")
        if id_ in found:
            raise ProfileError(f"the profile is damaged: two {noun}s have the id {id_}")
        found[id_] = entry
    return found
