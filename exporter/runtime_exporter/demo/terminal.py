"""Writing to a terminal: lines that stay, and one line at the bottom that says what goes on. Elsewhere only the lines that stay."""

from __future__ import annotations

import itertools
import os
import shutil
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ERASE = "\r\x1b[2K"
_STYLES: Mapping[str, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_WIDEST = 120
EVERY = 10.0
"""Seconds between two signs of life where there is no line to update."""


class Terminal:
    """Knows whether somebody watches; style and movement are for those only, and colour not where NO_COLOR is set."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self.live = stream.isatty() and environ.get("TERM") != "dumb"
        self._colour = self.live and not environ.get("NO_COLOR")
        self._frames = itertools.cycle(_SPINNER)
        self._last_sign = 0.0

    @property
    def width(self) -> int:
        """How many columns a line may have: the terminal's, within reason, or those of a usual log."""
        return max(60, min(shutil.get_terminal_size().columns - 1, _WIDEST)) if self.live else _WIDEST

    def style(self, text: str, *names: str) -> str:
        """Return `text` in bold, dim or a colour, where that shows."""
        codes = ";".join(_STYLES[name] for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m" if self._colour and names else text

    def line(self, text: str = "") -> None:
        """Write a line that stays."""
        self._write(f"{_ERASE if self.live else ''}{text}\n")
        self._last_sign = 0.0

    def progress(self, text: str, elapsed: float) -> None:
        """Show that something goes on, for `elapsed` seconds so far."""
        if self.live:
            columns = shutil.get_terminal_size().columns
            self._write(_ERASE + self.style(f"  {next(self._frames)} {elapsed:5.1f} s  {text}"[: columns - 1], "dim"))
        elif elapsed - self._last_sign >= EVERY:
            self._last_sign = elapsed
            self._write(f"    {elapsed:5.1f} s  {text}\n")

    def clear(self) -> None:
        """Take the moving line away."""
        if self.live:
            self._write(_ERASE)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
