"""The encoding of protocol buffers as far as profiles need it: fields and varints, read and written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_REMEMBERED: Final = 1 << 16  # varints: numbers repeat, yet what a hostile file repeats must not fill the memory
_LONGEST_LIST: Final = 1 << 16  # bytes: of a stack; Go keeps 128 frames, py-spy as many as there are
ONE_BYTE: Final = 0x7F  # the largest byte that ends a varint; more is seven bits and a sign to go on
_TOO_LARGE: Final = 1 << 64
_SIGN: Final = 1 << 63
_LONGEST: Final = 10  # bytes of a varint
# A varint is up to nine continuation bytes and a last one.
VARINT_PATTERN: Final = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
# The same in the half of the time; a broken one comes whole, so that it is read only once.
_TOKEN: Final = re.compile(rb"[\x80-\xff]*.", re.DOTALL)


def fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield of each field its tag (number << 3 | wire type), the number if it is a varint, the content if it has a length.

    What has a fixed width occurs in no profile and is passed over. Raises ProfileError for a broken message.
    """
    position, end = 0, len(message)
    try:
        while position < end:
            tag = message[position]
            position += 1
            if tag > ONE_BYTE:
                tag, position = _varint(message, position - 1)
            kind = tag & 7
            if kind in (VARINT, BYTES):
                number = message[position]
                position += 1
                if number > ONE_BYTE:
                    number, position = _varint(message, position - 1)
                if kind == VARINT:
                    yield tag, number, b""
                else:
                    start = position
                    position += number
                    yield tag, 0, message[start:position]
            elif kind == FIXED64:
                position += 8
            elif kind == FIXED32:
                position += 4
            else:
                raise ProfileError(f"the profile is damaged: a field of the unknown wire type {kind}")
    except IndexError:
        position = end + 1
    if position > end:
        raise ProfileError("the profile is damaged or cut off: a field is longer than what it is in")


def _varint(message: bytes, start: int) -> tuple[int, int]:
    """Return the number that begins at `start`, and where it ends."""
    token = _TOKEN.match(message, start)
    if token is None:
        raise IndexError(start)
    return number_of(token[0]), token.end()


def in_order(size: int) -> bytes:
    """Return the pattern of the fields 1 to `size` in this order, all varints and none twice: their tokens are its groups."""
    return b"".join(b"(?:%b(%b))?" % (re.escape(bytes([number << 3])), VARINT_PATTERN) for number in range(1, size + 1))


class Numbers:
    """A reader of messages that have varints only: the numbers of the fields 1 to `size`, 0 for one that is not there.

    Everybody writes them in order; then they are read in one go. This is where the time of reading a profile is spent.
    """

    def __init__(self, size: int, varints: Varints) -> None:
        self._size = size
        self._varints = varints
        self._match = re.compile(in_order(size)).fullmatch

    def read(self, message: bytes) -> list[int]:
        """Return the numbers, the one of field 1 first."""
        match = self._match(message)
        if match:
            return [*map(self._varints.__getitem__, match.groups(b""))]
        found = [0] * self._size
        for tag, number, _ in fields(message):
            if not tag & 7 and 0 < tag >> 3 <= self._size:
                found[(tag >> 3) - 1] = number
        return found


def number_of(token: bytes) -> int:
    """Return the unsigned number of a whole varint. Raises ProfileError for a broken one."""
    number = 0
    if token[-1] <= ONE_BYTE and len(token) <= _LONGEST:
        for byte in reversed(token):
            number = number << 7 | byte & ONE_BYTE
        if number < _TOO_LARGE:
            return number
    raise ProfileError("the profile is damaged: a number does not end, or has more than 64 bits")


def signed(number: int) -> int:
    """Return what these 64 bits are as an int64: a negative one is a varint of ten bytes."""
    return number if number < _SIGN else number - _TOO_LARGE


class Varints(dict[bytes, int]):
    """The numbers of varints by their bytes, read when they are asked for; the first ones are remembered. No bytes are 0."""

    def __init__(self) -> None:
        super().__init__({b"": 0})

    def __missing__(self, token: bytes) -> int:
        number = number_of(token)
        if len(self) < _REMEMBERED:
            self[token] = number
        return number


tokens = _TOKEN.findall
"""Return the bytes of each varint in packed ones; a broken one comes whole, for `number_of` to refuse."""


def packed(content: bytes) -> list[bytes]:
    """Return the varints in a packed field. Raises ProfileError for a field that is too long to be any list of a profile."""
    if len(content) > _LONGEST_LIST:
        raise ProfileError(f"the profile is damaged: a list of {len(content)} bytes")
    return tokens(content)


class Tokens(dict[int, bytes]):
    """The varints of numbers, made when they are asked for: a profile repeats its ids and its strings' indices."""

    def __missing__(self, number: int) -> bytes:
        token = self[number] = varint(number)
        return token


def varint(number: int) -> bytes:
    """Return the varint of a number; a negative one is written as its 64 bits. Raises ProfileError beyond 64 bits."""
    if not -_SIGN <= number < _TOO_LARGE:
        raise ProfileError(f"a profile cannot hold {number}: it has more than 64 bits")
    rest = number % _TOO_LARGE
    token = bytearray()
    while rest > ONE_BYTE:
        token.append(rest & ONE_BYTE | 0x80)
        rest >>= 7
    token.append(rest)
    return bytes(token)
