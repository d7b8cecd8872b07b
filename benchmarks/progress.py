"""One line that is written over: where a long run is. Only on a terminal; what is measured goes to standard output."""

from __future__ import annotations

import sys
import time

_began = time.monotonic()
_where = ""
_shown = 0


def begin(where: str) -> None:
    """Say from now on that this is what runs, and count the time from here."""
    global _where, _began
    _where, _began = where, time.monotonic()
    say("")


def say(text: str) -> None:
    """Show where the run is, in place of what was shown before."""
    if sys.stderr.isatty():
        minutes, seconds = divmod(int(time.monotonic() - _began), 60)
        _show(f"{_where} · {minutes}:{seconds:02d}{' · ' * bool(text)}{text}")


def clear() -> None:
    """Take the line away, before something else is printed."""
    if _shown:
        _show("")


def _show(line: str) -> None:
    global _shown
    sys.stderr.write(f"\r{line[:118]}{' ' * (_shown - len(line))}{chr(13) if not line else ''}")
    sys.stderr.flush()
    _shown = len(line[:118])
