"""The past of all workers in files, an hour each: whoever looks at all of them next goes on comparing with it.

Workers come and go every few minutes where a server replaces them, and a comparison needs hours of past.
"""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.profiling.baseline import HOUR
from runtime_exporter.profiling.columns import condensed
from runtime_exporter.profiling.tally import Sums, Tally
from runtime_exporter.profiling.wholefiles import make_directory, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_BYTES: Final = 2 << 20
"""Of all files: an hour of a usual service takes 3 to 5 kB for each of two kinds, that of a huge one 15 (see `columns.MOST_FUNCTIONS`)."""
MOST_FILES: Final = 600
"""Eight days of two kinds, and as many again for what began with a new version within an hour."""
_END: Final = ".past"
_DIGITS: Final = 7


class PastFiles:
    """A directory with one file for each hour, kind of profile and version. The constructor does not touch it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, tally: Tally) -> None:
        """Put what is known of an hour in the place of what was. Raises OSError."""
        make_directory(self._directory.parent, parents=False)
        make_directory(self._directory, parents=False)
        write_whole(self._directory, _name(tally), _encoded(tally), lasting=False)
        self._make_room()

    def read(self) -> list[Tally]:
        """Return all that is known, the oldest first. What cannot be read is left out."""
        found = []
        with suppress(OSError):
            for path in self._directory.glob(f"*{_END}"):
                with suppress(OSError, ValueError, TypeError, KeyError, zlib.error):
                    found.append(_decoded(path.read_bytes()))
        return sorted(found, key=lambda one: one.begin)

    def _make_room(self) -> None:
        known = []
        for path in self._directory.glob(f"*{_END}"):
            with suppress(FileNotFoundError):
                known.append((path.stat().st_mtime, path.stat().st_size, path))
        total = 0
        for place, (_, size, path) in enumerate(sorted(known, reverse=True)):
            total += size
            if total > MOST_BYTES or place >= MOST_FILES:
                path.unlink(missing_ok=True)


def _name(tally: Tally) -> str:
    return f"{tally.kind}-{tally.begin // HOUR:.0f}-{zlib.crc32(tally.version.encode()):08x}{_END}"


def _encoded(tally: Tally) -> bytes:
    functions = condensed(tally).functions.items()
    told = {name: [float(f"{number:.{_DIGITS}g}") for number in sums] for name, sums in functions}
    fields = {**asdict(replace(tally, functions={})), "functions": told}
    return zlib.compress(json.dumps(fields).encode(), 1)


def _decoded(data: bytes) -> Tally:
    read: Mapping[str, Any] = json.loads(zlib.decompress(data))
    functions = {name: Sums(*map(float, numbers)) for name, numbers in read["functions"].items()}
    return Tally(**{**read, "functions": functions})
