"""Reads samples, of which a profile has most, and each with a stack of many ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pprof.wire import (
    ONE_BYTE,
    VARINT_PATTERN,
    Numbers,
    Tokens,
    Varints,
    fields,
    number_of,
    packed,
    signed,
    tokens,
)
from runtime_exporter.profiling.profile import Label, Location, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

# Tags, number << 3 | wire type. A list may be packed into one field, or be a field for each number.
_LOCATION_ID, _LOCATION_IDS, _VALUE, _VALUES, _LABEL = 0x08, 0x0A, 0x10, 0x12, 0x1A

# The tag of a packed list, and its length in one or two bytes.
_LIST_HEAD: Final = re.compile(rb"\x0a([\x80-\xff]?)([\x00-\x7f])").match


class SampleReader:
    """Reads the samples of one profile, whose locations are read already."""

    def __init__(
        self,
        locations: dict[int, Location],
        width: int,
        *,
        varints: Varints,
        string: Callable[[int], str],
        spend: Callable[[], None],
    ) -> None:
        self._places = _Places(locations)
        self._width = width
        self._number = varints.__getitem__
        self._string = string
        self._spend = spend
        self._label_numbers = Numbers(4, varints).read
        self._labels: dict[bytes, Label] = {}
        value = b"(" + VARINT_PATTERN + b")"
        # Go writes up to two values as fields of their own, and more of them packed.
        self._unpacked = re.compile((b"\x10" + value) * width).match
        self._packed = re.compile(rb"\x12[\x00-\x7f]" + value * width).match

    def read(self, message: bytes) -> Sample:
        """Return a sample. Raises ProfileError for a broken one, and for one that refers to what is not there."""
        before = self._unpacked(message)  # Go's runtime begins with them, everybody else with the stack
        span = _list(message, before.end() if before else 0)
        if span is None:
            return self._any(message)
        start, stop = span
        values = before or self._values(message, stop)
        if values is None:
            return self._any(message)
        labels = self._labels_from(message, stop if before else values.end())
        if labels is None:
            return self._any(message)
        return Sample(
            tuple(map(self._places.__getitem__, tokens(message, start, stop))),
            tuple(map(signed, map(self._number, values.groups()))),
            labels,
        )

    def _labels_from(self, message: bytes, start: int) -> tuple[Label, ...] | None:
        """Return the labels that a sample ends with, or None where there is something else, too."""
        if start == len(message):
            return ()
        rest = [*fields(message[start:])]
        if any(tag != _LABEL for tag, _, _ in rest):
            return None
        return tuple([self._label(content) for _, _, content in rest])

    def _values(self, message: bytes, start: int) -> re.Match[bytes] | None:
        """Return the match of all values at `start`, where they are written as everybody does."""
        match = self._unpacked(message, start)
        if match:
            return match
        match = self._packed(message, start)
        return match if match and match.end() == start + 2 + message[start + 1] else None

    def _any(self, message: bytes) -> Sample:
        locations: list[Location] = []
        values: list[int] = []
        labels: list[Label] = []
        for tag, number, content in fields(message):
            if tag == _LOCATION_IDS:
                locations.extend(map(self._places.__getitem__, packed(content)))
            elif tag == _LOCATION_ID:
                locations.append(self._places.known(number))
            elif tag == _VALUES:
                values.extend(map(signed, map(self._number, packed(content))))
            elif tag == _VALUE:
                values.append(signed(number))
            elif tag == _LABEL:
                labels.append(self._label(content))
        if len(values) != self._width:
            raise ProfileError(
                f"the profile is damaged: a sample has {len(values)} values for {self._width} sample types"
            )
        return Sample(tuple(locations), tuple(values), tuple(labels))

    def _label(self, message: bytes) -> Label:
        self._spend()
        label = self._labels.get(message)
        if label is None:
            key, text, number, unit = self._label_numbers(message)
            label = Label(self._string(key), self._string(text), signed(number), self._string(unit))
            self._labels[message] = label
        return label


def _list(message: bytes, start: int) -> tuple[int, int] | None:
    """Return from where to where the ids of locations are that a packed field at `start` has, of up to 16 kB; None for anything else."""
    head = _LIST_HEAD(message, start)
    if head is None:
        return None
    low, high = head.groups()
    begin = head.end()
    stop = begin + (low[0] & ONE_BYTE | high[0] << 7 if low else high[0])
    return (begin, stop) if stop <= len(message) else None


class _Places(dict[bytes, Location]):
    """The locations by the varints of their ids, so that reading a stack is a look-up for each frame."""

    def __init__(self, locations: dict[int, Location]) -> None:
        varints = Tokens()
        super().__init__((varints[id_], location) for id_, location in locations.items())
        self._by_id: Final = locations

    def __missing__(self, token: bytes) -> Location:
        return self.known(number_of(token))  # a varint may be longer than it needs to be

    def known(self, id_: int) -> Location:
        """Return the location with an id."""
        try:
            return self._by_id[id_]
        except KeyError:
            raise ProfileError(f"the profile is damaged: a sample is of location {id_}, which is not there") from None
