"""Reads the page of a profile that a notification links to, as a person does: which functions cost how much."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = "Functions that cost most"
"""The heading above the table of functions."""
IDLE = "idle"
"""The row of the threads that wait for work."""
_COLUMN = 4  # what a function and all that it calls take of the whole; the name comes last


def share(page: str, function: str) -> float | None:
    """Return the part of the profile's time, 0 to 1, that `function` and its callees take, or None where it is not named.

    Threads that wait for work are left out of the whole.
    """
    shares = functions(page)
    if function not in shares:
        return None
    busy = 1 - shares.get(IDLE, 0.0)
    return shares[function] / busy if busy > 0 else 0.0


def functions(page: str) -> Mapping[str, float]:
    """Return the functions of the page with their parts of the whole, 0 to 1; nothing where it shows no profile."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.shares


class _Reader(HTMLParser):
    """Collects the rows of the first table after the heading."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: dict[str, float] = {}
        self._heading = ""
        self._cells: list[str] = []
        self._name = ""
        self._inside = ""

    def handle_starttag(self, tag: str, _: object) -> None:
        self._inside = tag
        if tag == "tr":
            self._cells, self._name = [], ""
        elif tag == "td":
            self._cells.append("")
        elif tag == "h2":
            self._heading = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "h2":
            self._heading += data
        elif self._inside == "code":
            self._name += data
        elif self._inside == "td" and self._cells:
            self._cells[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        if tag == "tr" and self._heading == TABLE and self._name and len(self._cells) > _COLUMN:
            self.shares[self._name] = float(self._cells[_COLUMN].strip().rstrip("%") or 0) / 100
