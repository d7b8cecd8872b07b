"""From the bytes of profile.proto's message to a Profile: every id and every index becomes what it stands for.

Go writes the table of strings last, so the message is first sorted by field, and then read from the strings up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pprof.samples import SampleReader
from runtime_exporter.profiling.pprof.wire import (
    VARINT_PATTERN,
    Numbers,
    Varints,
    fields,
    in_order,
    number_of,
    packed,
    signed,
)
from runtime_exporter.profiling.profile import (
    NO_TYPE,
    Function,
    Line,
    Location,
    Mapping,
    Profile,
    ValueType,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_Entry = TypeVar("_Entry", Mapping, Function, Location)

_FEWEST_ENTRIES: Final = 100_000
_BYTES_PER_ENTRY: Final = 32  # real profiles have 25 to 60; two bytes could ask for a value of 100
_WIDEST: Final = 64  # sample types; Go has up to 4

# Tags are written number << 3 | wire type: of 4 as a number 0x20, of 4 as bytes 0x22.
_SAMPLE_TYPE, _SAMPLE, _MAPPING, _LOCATION, _FUNCTION, _STRING = 0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x32
_DROP_FRAMES, _KEEP_FRAMES, _TIME, _DURATION, _PERIOD_TYPE, _PERIOD = 0x38, 0x40, 0x48, 0x50, 0x5A, 0x60
_COMMENT, _COMMENTS, _DEFAULT_SAMPLE_TYPE, _DOC_URL = 0x68, 0x6A, 0x70, 0x78
# In a location.
_ID, _MAPPING_ID, _ADDRESS, _LINE, _IS_FOLDED = 0x08, 0x10, 0x18, 0x22, 0x28

# A location as it is mostly written; it is one only if the line's length is that of its numbers.
_LOCATION_HEAD = re.compile(rb"(?=\x08)" + in_order(3)).match
_LOCATION_LINE = re.compile(rb"\x22([\x00-\x7f])" + in_order(3)).match
# Go's runtime puts the mapping behind the lines, everybody else before the address.
_LAST_MAPPING = rb"\x10(" + VARINT_PATTERN + rb")"
_LOCATION_MAPPING = re.compile(_LAST_MAPPING).fullmatch
# Most have one line, and are read in one go.
_LOCATION_OF_ONE_LINE = re.compile(
    rb"(?=\x08)%b\x22([\x00-\x7f])%b(?:%b)?" % (in_order(3), in_order(3), _LAST_MAPPING)
).fullmatch
_LENGTH, _LAST = 4, 8  # its groups


def entries_for(limit: int) -> int:
    """Return how many entries (samples, labels, locations, lines, functions, strings) a profile of `limit` bytes may have."""
    return _FEWEST_ENTRIES + limit // _BYTES_PER_ENTRY


def read(message: bytes, *, entries: int) -> Profile:
    """Return the profile in a bare message. Raises ProfileError for anything else, and for more than `entries` entries."""
    return _Reader(entries).profile(message)


class _Reader:
    """The tables of one profile while it is read."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._left = entries
        self._varints = Varints()
        self._read2, self._read3, self._read5, self._read10 = (
            Numbers(size, self._varints).read for size in (2, 3, 5, 10)
        )
        self._strings: list[str] = []

    def profile(self, message: bytes) -> Profile:
        parts, numbers, comments = self._sorted(message)
        self._strings = [*map(_text, parts[_STRING])]
        if self._string(0):
            raise ProfileError("the profile is damaged: its first string is not the empty one")
        sample_types = tuple(map(self._value_type, parts[_SAMPLE_TYPE]))
        if len(sample_types) > _WIDEST:
            raise ProfileError(f"the profile is damaged: it has {len(sample_types)} sample types")
        if parts[_SAMPLE] and not sample_types:
            raise ProfileError("the profile is damaged: it has samples, but no sample types")
        mappings = _by_id("mapping", map(self._mapping, parts[_MAPPING]))
        functions = _by_id("function", map(self._function, parts[_FUNCTION]))
        locations = _by_id("location", (self._location(part, mappings, functions) for part in parts[_LOCATION]))
        samples = SampleReader(
            locations, len(sample_types), varints=self._varints, string=self._string, spend=self._spend
        )
        return Profile(
            sample_types=sample_types,
            samples=tuple(map(samples.read, parts[_SAMPLE])),
            mappings=tuple(mappings.values()),
            locations=tuple(locations.values()),
            functions=tuple(functions.values()),
            drop_frames=self._string(numbers[_DROP_FRAMES]),
            keep_frames=self._string(numbers[_KEEP_FRAMES]),
            time_nanos=signed(numbers[_TIME]),
            duration_nanos=signed(numbers[_DURATION]),
            period_type=self._value_type(parts[_PERIOD_TYPE][-1]) if parts[_PERIOD_TYPE] else NO_TYPE,
            period=signed(numbers[_PERIOD]),
            comments=tuple(map(self._string, comments)),
            default_sample_type=self._string(numbers[_DEFAULT_SAMPLE_TYPE]),
            doc_url=self._string(numbers[_DOC_URL]),
        )

    def _sorted(self, message: bytes) -> tuple[dict[int, list[bytes]], dict[int, int], list[int]]:
        """Return the messages in a profile by tag, the numbers by tag, and the comments."""
        parts: dict[int, list[bytes]] = {
            tag: [] for tag in (_SAMPLE_TYPE, _SAMPLE, _MAPPING, _LOCATION, _FUNCTION, _STRING, _PERIOD_TYPE)
        }
        numbers = dict.fromkeys(
            (_DROP_FRAMES, _KEEP_FRAMES, _TIME, _DURATION, _PERIOD, _DEFAULT_SAMPLE_TYPE, _DOC_URL), 0
        )
        comments: list[int] = []
        for tag, number, content in fields(message):
            if tag in parts:
                parts[tag].append(content)
                self._spend()
            elif tag in numbers:
                numbers[tag] = number
            elif tag == _COMMENT:
                comments.append(number)
                self._spend()
            elif tag == _COMMENTS:
                comments.extend(map(number_of, packed(content)))
        return parts, numbers, comments

    def _spend(self) -> None:
        """Count entries: since a few bytes can ask for a large value, a limit of bytes is no limit of memory."""
        self._left -= 1
        if self._left < 0:
            raise ProfileError(f"the profile has more than {self._entries} entries, which nothing real of its size has")

    def _string(self, index: int) -> str:
        if not index and not self._strings:
            return ""
        try:
            return self._strings[index]
        except IndexError:
            raise ProfileError(
                f"the profile is damaged: it has {len(self._strings)} strings, and something is called by number {signed(index)}"
            ) from None

    def _value_type(self, message: bytes) -> ValueType:
        kind, unit = self._read2(message)
        return ValueType(self._string(kind), self._string(unit))

    def _mapping(self, message: bytes) -> Mapping:
        id_, start, limit, offset, filename, build_id, *flags = self._read10(message)
        return Mapping(id_, start, limit, offset, self._string(filename), self._string(build_id), *map(bool, flags))

    def _function(self, message: bytes) -> Function:
        id_, name, system_name, filename, start_line = self._read5(message)
        return Function(id_, self._string(name), self._string(system_name), self._string(filename), signed(start_line))

    def _location(self, message: bytes, mappings: dict[int, Mapping], functions: dict[int, Function]) -> Location:
        match = _LOCATION_OF_ONE_LINE(message)
        if match is None:
            return self._location_of_lines(message, mappings, functions)
        behind = match.start(_LAST)
        end = len(message) if behind < 0 else behind - 1
        id_, mapping, address, length, function, line, column, last = match.groups(b"\0")
        if end - match.end(_LENGTH) != length[0]:
            return self._location_of_lines(message, mappings, functions)
        number = self._varints.__getitem__
        lines = (self._line(functions, number(function), number(line), number(column)),)
        return Location(number(id_), mappings.get(number(mapping if behind < 0 else last)), number(address), lines)

    def _location_of_lines(
        self, message: bytes, mappings: dict[int, Mapping], functions: dict[int, Function]
    ) -> Location:
        number = self._varints.__getitem__
        head = _LOCATION_HEAD(message)
        if head is None:
            return self._any_location(message, mappings, functions)
        id_, mapping, address = map(number, head.groups(b"\0"))
        lines = []
        position, end = head.end(), len(message)
        while position < end:
            match = _LOCATION_LINE(message, position)
            if match is None:
                last = _LOCATION_MAPPING(message, position)
                if last is None:
                    return self._any_location(message, mappings, functions)
                mapping = number(last[1])
                break
            length, *tokens_of_line = match.groups(b"\0")
            position += 2 + length[0]
            if position != match.end():
                return self._any_location(message, mappings, functions)
            lines.append(self._line(functions, *map(number, tokens_of_line)))
        return Location(id_, mappings.get(mapping), address, tuple(lines))

    def _any_location(self, message: bytes, mappings: dict[int, Mapping], functions: dict[int, Function]) -> Location:
        id_ = mapping = address = folded = 0
        lines: list[Line] = []
        for tag, number, content in fields(message):
            if tag == _ID:
                id_ = number
            elif tag == _MAPPING_ID:
                mapping = number
            elif tag == _ADDRESS:
                address = number
            elif tag == _LINE:
                lines.append(self._line(functions, *self._read3(content)))
            elif tag == _IS_FOLDED:
                folded = number
        return Location(id_, mappings.get(mapping), address, tuple(lines), bool(folded))

    def _line(self, functions: dict[int, Function], function: int, line: int, column: int) -> Line:
        self._spend()
        try:
            return Line(functions[function], signed(line), signed(column))
        except KeyError:
            raise ProfileError(
                f"the profile is damaged: a line is of function {function}, which is not there"
            ) from None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _by_id(noun: str, entries: Iterable[_Entry]) -> dict[int, _Entry]:
    found: dict[int, _Entry] = {}
    for entry in entries:
        if not entry.id:
            raise ProfileError(f"the profile is damaged: a {noun} has the id 0")
        if entry.id in found:
            raise ProfileError(f"the profile is damaged: two {noun}s have the id {entry.id}")
        found[entry.id] = entry
    return found
