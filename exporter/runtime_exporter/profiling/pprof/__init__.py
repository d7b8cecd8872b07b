"""pprof's file format: decode what Go, py-spy's converters, Pyroscope and Parca write, encode what `go tool pprof` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.profiling.pprof import container, reader, writer
from runtime_exporter.profiling.pprof.container import LIMIT

if TYPE_CHECKING:
    from runtime_exporter.profiling.profile import Profile

__all__ = ["LIMIT", "decode", "encode"]


def decode(data: bytes, *, limit: int = LIMIT) -> Profile:
    """Return the profile in `data`, gzipped or not. Raises ProfileError, and nothing else, for whatever is not a profile.

    A profile of more than `limit` bytes is refused while it is decompressed; decoded it takes some 16 times its bytes of memory.
    """
    return reader.read(container.unpack(data, limit=limit), entries=reader.entries_for(limit))


def encode(profile: Profile, *, compress: bool = True) -> bytes:
    """Return a profile as a file: gzipped, as every reader expects it, unless told otherwise.

    Raises ProfileError for a profile whose references lead nowhere, or with a number that 64 bits cannot hold.
    """
    raw = writer.write(profile)
    return container.pack(raw) if compress else raw
