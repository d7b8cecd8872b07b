"""Many lines at once: the text that repeats with holes for labels and values, which are filled column by column.

Everything that is done for each sample is done in C: slices of lists, `map`, one join for a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime_exporter.metrics.source import Line


class Rows:
    """The lines of one child as a list of pieces, and which of them are holes. Each line begins with a newline."""

    def __init__(self, lines: Sequence[Line], openings: Sequence[str], closing: str) -> None:
        """`openings` stand before each hole for labels, the first after the brace; `closing` after the last of them."""
        self._pieces: list[str] = []
        self._labels: list[list[int]] = []
        self._values: list[int] = []
        for name, own in lines:
            text = f"\n{name}{{" if openings or own else f"\n{name}"
            holes = []
            for opening in openings:
                holes.append(self._hole(text + opening))
                text = ""
            text += closing
            if openings or own:
                text += f",{own}}}" if openings and own else f"{own}}}"
            self._labels.append(holes)
            self._values.append(self._hole(text + " "))

    def _hole(self, before: str) -> int:
        self._pieces += (before, "")
        return len(self._pieces) - 1

    def write(self, labels: Sequence[Sequence[str]], columns: Sequence[Sequence[str]]) -> bytes:
        """Return the lines of all children: `labels` are what stands in the holes for labels, `columns` each line's values."""
        width = len(self._pieces)
        pieces = self._pieces * len(columns[0])
        for holes, value, texts in zip(self._labels, self._values, columns, strict=True):
            for hole, column in zip(holes, labels, strict=True):
                pieces[hole::width] = column
            pieces[value::width] = texts
        return "".join(pieces).encode()

    def write_whole(self, labels: Sequence[Sequence[str]], values: Sequence[int]) -> bytes:
        """Return the same for children of one line each whose values are whole numbers and whose labels have no `%`.

        One pattern of all lines is filled in one go: of bytes, since those take the digits of a number without a text or
        an object of its own.
        """
        return self._pattern(labels, len(values)) % tuple(values)

    def _pattern(self, labels: Sequence[Sequence[str]], count: int) -> bytes:
        if len(labels) > 1:
            return self.write(labels, [["%d.0"] * count])
        # The same between any two: no list of pieces.
        first, last = self._pieces[0], self._pieces[-2] + "%d.0"
        return (first + (last + first).join(labels[0]) + last).encode()
