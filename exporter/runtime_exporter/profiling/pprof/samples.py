"""Reads samples, of which a profile has most, and each with a stack of many ids."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pprof.wire import (
    ONE_BYTE,
    VARINT_PATTERN,
    Numbers,
    fields,
    number_of,
    packed,
    signed,
    tokens,
)
from runtime_exporter.profiling.profile import Label, Location, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime_exporter.profiling.pprof.reading import Reading

# Tags, number << 3 | wire type. A list may be packed into one field, or be a field for each number.
_LOCATION_ID, _LOCATION_IDS, _VALUE, _VALUES, _LABEL = 0x08, 0x0A, 0x10, 0x12, 0x1A

_VALUE_FIRST: Final = bytes([_VALUE])
_REMEMBERED: Final = 1 << 12
"""Values with labels: samples of a clock have few, those of a heap one each."""

_new: Final = tuple.__new__
_Rest = tuple[tuple[int, ...], tuple[Label, ...]]


class SampleReader:
    """Reads the samples of one profile, whose locations are read already: `by_token` has them by the varints of their ids."""

    def __init__(
        self, reading: Reading, locations: Mapping[int, Location], by_token: Mapping[bytes, Location], width: int
    ) -> None:
        self._reading = reading
        self._locations = locations
        self._by_token = by_token
        self._width = width
        self._number = reading.varints.__getitem__
        self._label_numbers = Numbers(4, reading.varints).read
        self._labels: dict[bytes, Label] = {}
        self._rests: dict[bytes, _Rest | None] = {}
        value = b"(" + VARINT_PATTERN + b")"
        # Go writes up to two values as fields of their own, and more of them packed.
        self._unpacked = re.compile((b"\x10" + value) * width).match
        self._packed = re.compile(rb"\x12[\x00-\x7f]" + value * width).match

    def read(self, message: bytes) -> Sample:
        """Return a sample. Raises ProfileError for a broken one, and for one that refers to what is not there."""
        # Go's runtime begins with the values, everybody else with the stack.
        before = self._unpacked(message) if message[:1] == _VALUE_FIRST else None
        begin = before.end() if before else 0
        try:
            start, length = begin + 2, message[begin + 1]
            if length > ONE_BYTE:
                start, length = begin + 3, length & ONE_BYTE | message[begin + 2] << 7
            stop = start + length
            if message[begin] != _LOCATION_IDS or message[start - 1] > ONE_BYTE or stop > len(message):
                return self._any(message)
        except IndexError:
            return self._any(message)
        rest = message[:begin] + message[stop:]
        try:
            found = self._rests[rest]
        except KeyError:
            found = self._rest(rest)
            if len(self._rests) < _REMEMBERED:
                self._rests[rest] = found
        if found is None:
            return self._any(message)
        return _new(Sample, (self._stack(tokens(message, start, stop)), *found))

    def _stack(self, ids: Sequence[bytes]) -> tuple[Location, ...]:
        """Return the locations of varints. Where there are several this takes two thirds of the time of one look-up after the other."""
        try:
            if len(ids) > 1:
                found: tuple[Location, ...] = itemgetter(*ids)(self._by_token)
                return found
            return tuple([self._by_token[token] for token in ids])
        except KeyError:  # a varint may be longer than it needs to be
            return tuple([self._known(number_of(token)) for token in ids])

    def _known(self, id_: int) -> Location:
        try:
            return self._locations[id_]
        except KeyError:
            raise ProfileError(f"the profile is damaged: a sample is of location {id_}, which is not there") from None

    def _rest(self, message: bytes) -> _Rest | None:
        """Return the values and the labels of what is beside the stack, or None where there is something else, too."""
        match = self._unpacked(message)
        if match is None:
            match = self._packed(message)
            if match is None or match.end() != 2 + message[1]:
                return None
        labels = self._labels_from(message, match.end())
        return None if labels is None else (tuple(map(signed, map(self._number, match.groups()))), labels)

    def _labels_from(self, message: bytes, start: int) -> tuple[Label, ...] | None:
        """Return the labels that a sample ends with, or None where there is something else, too."""
        if start == len(message):
            return ()
        rest = [*fields(message[start:])]
        if any(tag != _LABEL for tag, _, _ in rest):
            return None
        return tuple([self._label(content) for _, _, content in rest])

    def _any(self, message: bytes) -> Sample:
        locations: list[Location] = []
        values: list[int] = []
        labels: list[Label] = []
        for tag, number, content in fields(message):
            if tag == _LOCATION_IDS:
                locations.extend(self._stack(packed(content)))
            elif tag == _LOCATION_ID:
                locations.append(self._known(number))
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
        self._reading.spend()
        label = self._labels.get(message)
        if label is None:
            key, text, number, unit = self._label_numbers(message)
            label = Label(
                self._reading.string(key), self._reading.string(text), signed(number), self._reading.string(unit)
            )
            self._labels[message] = label
        return label
