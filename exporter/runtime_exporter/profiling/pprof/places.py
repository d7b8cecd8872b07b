"""Reads functions and locations, of which a large profile has ten thousands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pprof.wire import VARINT_PATTERN, Numbers, fields, in_order, number_of, signed, varint
from runtime_exporter.profiling.profile import Function, Line, Location, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runtime_exporter.profiling.pprof.reading import Reading

# Tags in a location, number << 3 | wire type.
_ID, _MAPPING_ID, _ADDRESS, _LINE, _IS_FOLDED = 0x08, 0x10, 0x18, 0x22, 0x28

# A location as it is mostly written; it is one only if the line's length is that of its numbers.
_HEAD: Final = re.compile(rb"(?=\x08)" + in_order(3)).match
_NEXT_LINE: Final = re.compile(rb"\x22([\x00-\x7f])" + in_order(3)).match
# Go's runtime puts the mapping behind the lines, everybody else before the address.
_LAST_MAPPING: Final = rb"\x10(" + VARINT_PATTERN + rb")"
_MAPPING_BEHIND: Final = re.compile(_LAST_MAPPING).fullmatch
# Most have one line, and are read in one go.
_OF_ONE_LINE: Final = re.compile(
    rb"(?=\x08)%b\x22([\x00-\x7f])(%b)(?:%b)?" % (in_order(3), in_order(3), _LAST_MAPPING)
).fullmatch

_new: Final = tuple.__new__
"""Makes a named tuple in half the time that its own constructor takes."""


class PlaceReader:
    """Reads the functions of one profile, and then its locations."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._number = reading.varints.__getitem__
        self._read3, self._read5 = (Numbers(size, reading.varints).read for size in (3, 5))
        self.tokens: Final[dict[bytes, Location]] = {}
        """The locations by the varints of their ids, as they were written."""

    def functions(self, messages: Iterable[bytes]) -> Iterator[Function]:
        """Yield the functions. Raises ProfileError for a broken one."""
        read, strings, string = self._read5, self._reading.strings, self._reading.string
        for message in messages:
            id_, name, system_name, filename, start_line = read(message)
            try:
                names = strings[name], strings[system_name], strings[filename]
            except IndexError:
                names = string(name), string(system_name), string(filename)
            yield _new(Function, (id_, *names, signed(start_line)))

    def locations(
        self, messages: Iterable[bytes], mappings: dict[int, Mapping], functions: dict[int, Function]
    ) -> Iterator[Location]:
        """Yield the locations. Raises ProfileError for a broken one."""
        number, tokens = self._number, self.tokens
        mapping_of = mappings.get
        for message in messages:
            match = _OF_ONE_LINE(message)
            if match is not None:
                id_, mapping, address, length, content, function, line, column, last = match.groups(b"")
                called = functions.get(number(function))
                if len(content) == length[0] and called is not None:
                    lines = (_new(Line, (called, signed(number(line)), signed(number(column)))),)
                    # An address is one location's: to remember it would be of no use.
                    at = number_of(address) if address else 0
                    location = _new(Location, (number(id_), mapping_of(number(last or mapping)), at, lines, False))
                    self._reading.spend()
                    tokens[id_] = location
                    yield location
                    continue
            location = self._of_lines(message, mappings, functions)
            tokens[varint(location.id)] = location
            yield location

    def _of_lines(self, message: bytes, mappings: dict[int, Mapping], functions: dict[int, Function]) -> Location:
        number = self._number
        head = _HEAD(message)
        if head is None:
            return self._any(message, mappings, functions)
        id_, mapping, address = map(number, head.groups(b""))
        lines = []
        position, end = head.end(), len(message)
        while position < end:
            match = _NEXT_LINE(message, position)
            if match is None:
                last = _MAPPING_BEHIND(message, position)
                if last is None:
                    return self._any(message, mappings, functions)
                mapping = number(last[1])
                break
            length, *tokens_of_line = match.groups(b"")
            position += 2 + length[0]
            if position != match.end():
                return self._any(message, mappings, functions)
            lines.append(self._line(functions, *map(number, tokens_of_line)))
        return Location(id_, mappings.get(mapping), address, tuple(lines))

    def _any(self, message: bytes, mappings: dict[int, Mapping], functions: dict[int, Function]) -> Location:
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
        self._reading.spend()
        try:
            return Line(functions[function], signed(line), signed(column))
        except KeyError:
            raise ProfileError(
                f"the profile is damaged: a line is of function {function}, which is not there"
            ) from None
