"""From the bytes of profile.proto's message to a Profile: every id and every index becomes what it stands for.

Go writes the table of strings last, so the message is first sorted by field, and then read from the strings up.
"""

from __future__ import annotations

from typing import Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pprof.places import PlaceReader
from runtime_exporter.profiling.pprof.reading import Reading, by_id
from runtime_exporter.profiling.pprof.samples import SampleReader
from runtime_exporter.profiling.pprof.wire import Numbers, fields, number_of, packed, signed
from runtime_exporter.profiling.profile import NO_TYPE, Mapping, Profile, ValueType

_FEWEST_ENTRIES: Final = 100_000
_BYTES_PER_ENTRY: Final = 32  # real profiles have 25 to 60; two bytes could ask for a value of 100
_WIDEST: Final = 64  # sample types; Go has up to 4

# Tags are written number << 3 | wire type: of 4 as a number 0x20, of 4 as bytes 0x22.
_SAMPLE_TYPE, _SAMPLE, _MAPPING, _LOCATION, _FUNCTION, _STRING = 0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x32
_DROP_FRAMES, _KEEP_FRAMES, _TIME, _DURATION, _PERIOD_TYPE, _PERIOD = 0x38, 0x40, 0x48, 0x50, 0x5A, 0x60
_COMMENT, _COMMENTS, _DEFAULT_SAMPLE_TYPE, _DOC_URL = 0x68, 0x6A, 0x70, 0x78


def entries_for(limit: int) -> int:
    """Return how many entries (samples, labels, locations, lines, functions, strings) a profile of `limit` bytes may have."""
    return _FEWEST_ENTRIES + limit // _BYTES_PER_ENTRY


def read(message: bytes, *, entries: int) -> Profile:
    """Return the profile in a bare message. Raises ProfileError for anything else, and for more than `entries` entries."""
    return _Reader(entries).profile(message)


class _Reader:
    """Reads one profile."""

    def __init__(self, entries: int) -> None:
        self._reading = Reading(entries)
        self._string, self._spend = self._reading.string, self._reading.spend
        self._read2, self._read10 = (Numbers(size, self._reading.varints).read for size in (2, 10))

    def profile(self, message: bytes) -> Profile:
        parts, numbers, comments = self._sorted(message)
        self._reading.strings.extend(map(_text, parts[_STRING]))
        if self._string(0):
            raise ProfileError("the profile is damaged: its first string is not the empty one")
        sample_types = tuple(map(self._value_type, parts[_SAMPLE_TYPE]))
        if len(sample_types) > _WIDEST:
            raise ProfileError(f"the profile is damaged: it has {len(sample_types)} sample types")
        if parts[_SAMPLE] and not sample_types:
            raise ProfileError("the profile is damaged: it has samples, but no sample types")
        places = PlaceReader(self._reading)
        mappings = by_id("mapping", map(self._mapping, parts[_MAPPING]))
        functions = by_id("function", places.functions(parts[_FUNCTION]))
        locations = by_id("location", places.locations(parts[_LOCATION], mappings, functions))
        samples = SampleReader(self._reading, locations, places.tokens, len(sample_types))
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

    def _value_type(self, message: bytes) -> ValueType:
        kind, unit = self._read2(message)
        return ValueType(self._string(kind), self._string(unit))

    def _mapping(self, message: bytes) -> Mapping:
        id_, start, limit, offset, filename, build_id, *flags = self._read10(message)
        return Mapping(id_, start, limit, offset, self._string(filename), self._string(build_id), *map(bool, flags))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
