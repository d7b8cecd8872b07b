"""From a Profile to the bytes of profile.proto's message: ids as they are, one string once, zeros left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.pprof.wire import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runtime_exporter.profiling.profile import Function, Label, Location, Mapping, Profile, Sample, ValueType


def write(profile: Profile) -> bytes:
    """Return the bare message. Raises ProfileError for references that lead nowhere and numbers beyond 64 bits."""
    check(profile)
    return b"".join(_Writer().parts(profile))


class _Strings(dict[str, int]):
    """Numbers of strings, in the order in which they are asked for; the empty one is 0."""

    def __missing__(self, text: str) -> int:
        index = self[text] = len(self)
        return index


class _Writer:
    """The strings and the varints of one profile while it is written."""

    def __init__(self) -> None:
        self._strings = _Strings({"": 0})
        self._varints = Tokens()

    def parts(self, profile: Profile) -> Iterator[bytes]:
        """Yield the message in pieces; the strings come last, when all are known."""
        for sample_type in profile.sample_types:
            yield self._bytes(1, self._value_type(sample_type))
        for sample in profile.samples:
            yield self._bytes(2, self._sample(sample))
        for mapping in profile.mappings:
            yield self._bytes(3, self._mapping(mapping))
        for location in profile.locations:
            yield self._bytes(4, self._location(location))
        for function in profile.functions:
            yield self._bytes(5, self._function(function))
        yield self._numbers(
            [
                (7, self._strings[profile.drop_frames]),
                (8, self._strings[profile.keep_frames]),
                (9, profile.time_nanos),
                (10, profile.duration_nanos),
                (12, profile.period),
                (14, self._strings[profile.default_sample_type]),
                (15, self._strings[profile.doc_url]),
            ]
        )
        if any(profile.period_type):
            yield self._bytes(11, self._value_type(profile.period_type))
        if profile.comments:
            yield self._packed(13, [self._strings[comment] for comment in profile.comments])
        for text in self._strings:
            yield self._bytes(6, text.encode("utf-8", "replace"))

    def _bytes(self, number: int, content: bytes) -> bytes:
        return b"%c%b%b" % (number << 3 | 2, self._varints[len(content)], content)

    def _packed(self, number: int, values: Iterable[int]) -> bytes:
        return self._bytes(number, b"".join(map(self._varints.__getitem__, values)))

    def _numbers(self, numbered: Sequence[tuple[int, int]]) -> bytes:
        varints = self._varints
        return b"".join([b"%c%b" % (number << 3, varints[value]) for number, value in numbered if value])

    def _value_type(self, kind: ValueType) -> bytes:
        return self._numbers([(1, self._strings[kind.type]), (2, self._strings[kind.unit])])

    def _sample(self, sample: Sample) -> bytes:
        locations, values, labels = sample
        stack = self._packed(1, [location[0] for location in locations]) if locations else b""
        message = stack + self._packed(2, values)
        if not labels:
            return message
        return message + b"".join([self._bytes(3, self._label(label)) for label in labels])

    def _label(self, label: Label) -> bytes:
        strings = self._strings
        return self._numbers(
            [(1, strings[label.key]), (2, strings[label.str]), (3, label.num), (4, strings[label.num_unit])]
        )

    def _mapping(self, mapping: Mapping) -> bytes:
        id_, start, limit, offset, filename, build_id, *flags = mapping
        texts = (self._strings[filename], self._strings[build_id])
        return self._numbers([*enumerate((id_, start, limit, offset, *texts, *map(int, flags)), start=1)])

    # Of these two a profile has thousands: written out, they take a third of the time.

    def _location(self, location: Location) -> bytes:
        id_, mapping, address, lines, is_folded = location
        varints = self._varints
        message = b"\x08" + varints[id_]
        if mapping:
            message += b"\x10" + varints[mapping.id]
        if address:
            message += b"\x18" + varints[address]
        for function, line, column in lines:
            content = b"\x08%b\x10%b" % (varints[function.id], varints[line])
            if column:
                content += b"\x18" + varints[column]
            message += b"\x22%b%b" % (varints[len(content)], content)
        return message + b"\x28\x01" if is_folded else message

    def _function(self, function: Function) -> bytes:
        id_, name, system_name, filename, start_line = function
        strings, varints = self._strings, self._varints
        message = b"\x08%b\x10%b" % (varints[id_], varints[strings[name]])
        if system_name:
            message += b"\x18" + varints[strings[system_name]]
        if filename:
            message += b"\x20" + varints[strings[filename]]
        if start_line:
            message += b"\x28" + varints[start_line]
        return message
