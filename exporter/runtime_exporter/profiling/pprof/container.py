"""Around the message: gzip within a size limit, and what is no such message said by its name."""

from __future__ import annotations

import gzip
import zlib
from io import BytesIO
from typing import Final

from runtime_exporter.errors import ProfileError

LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a decompressed profile. The largest of pprof's own test data has 2.5 MB, a Go service's CPU profile 0.1 MB."""

_GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 1 << 16
_FASTEST: Final = 1  # within 10 % of the default's size, at under half of its CPU

# How other files begin that people have at hand beside profiles.
_OTHER_FORMATS: Final = (
    (b"\x7fELF", "an executable"),
    (b"FLR\x00", "a recording of Java Flight Recorder"),
    (b"PERFILE2", "a perf.data file"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"PK\x03\x04", "a zip archive"),
    (b"JAVA PROFILE", "a Java heap dump"),
    (b"SQLite format 3", "an SQLite database"),
    (b"memray\x00", "a recording of memray"),
    (b"go 1.", "an execution trace of Go"),
)
# How the text forms begin that Go writes with debug=1 and debug=2.
_TEXT_PROFILES: Final = (b"heap profile:", b"goroutine ", b"goroutineleak ", b"threadcreate ", b"--- ")
_TEXT_SNIFFED: Final = 512  # bytes; a message has a control character among the first three


def unpack(data: bytes, *, limit: int = LIMIT) -> bytes:
    """Return the bare message. Raises ProfileError for what is too large, damaged, or no message of pprof by its beginning."""
    if not data:
        raise ProfileError("the profile is empty: 0 bytes")
    if len(data) > limit:
        raise ProfileError(f"the profile is larger than {limit} bytes")
    raw = _decompress(data, limit) if data.startswith(_GZIP) else data
    _refuse_other_formats(raw)
    return raw


def pack(raw: bytes) -> bytes:
    """Compress a message; the same message always gives the same bytes."""
    return gzip.compress(raw, compresslevel=_FASTEST, mtime=0)


def _decompress(data: bytes, limit: int) -> bytes:
    """Decompress every member of a gzip file, never more than `limit` bytes and one piece more."""
    parts: list[bytes] = []
    left = limit
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as file:
            while left >= 0 and (
                part := file.read(_PIECE)
            ):  # read(limit) would take the limit's memory for any profile
                parts.append(part)
                left -= len(part)
    except EOFError:
        raise ProfileError("the profile is cut off: its compressed data ends too early") from None
    except (OSError, zlib.error) as error:
        raise ProfileError(f"the profile is damaged: {error}") from None
    if left < 0:
        raise ProfileError(f"the profile is larger than {limit} bytes once decompressed")
    return b"".join(parts)


def _refuse_other_formats(raw: bytes) -> None:
    if not raw:
        raise ProfileError("the profile is empty: 0 bytes once decompressed")
    if raw.startswith(_GZIP):
        raise ProfileError("the profile is compressed twice: decompress it once")
    for beginning, what in _OTHER_FORMATS:
        if raw.startswith(beginning):
            raise ProfileError(f"this is no pprof profile but {what}")
    if raw.startswith(_TEXT_PROFILES):
        raise ProfileError("this is a profile in text form, for people: fetch it without debug=1 or debug=2")
    if _is_text(raw[:_TEXT_SNIFFED]):
        what = "HTML" if raw.lstrip().startswith(b"<") else "JSON" if raw.lstrip()[:1] in {b"{", b"["} else "text"
        raise ProfileError(f"this is no pprof profile but {what}: it begins with {_beginning(raw)!r}")


def _is_text(beginning: bytes) -> bool:
    text = beginning.decode("utf-8", "ignore").translate({ord(space): " " for space in "\t\r\n"})
    return text.isprintable() and len(text) > 0


def _beginning(raw: bytes) -> str:
    return raw[:40].decode("utf-8", "ignore").strip().partition("\n")[0]
