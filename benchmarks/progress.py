"""One line that is written over: where a long run is, and how long it will still take. Only on a terminal; results go to standard output.

How long is known from the runs before: a report that took a minute then is taken to take one now, and the whole run as much more or
less time as its reports so far did.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE: Final = "BENCHMARK_PLACE"
_CELLS: Final = 20
_WIDTH: Final = 118


@dataclass(frozen=True)
class Place:
    """Where in a whole run a report stands: what to call that, and seconds before it, of it and after it; those to come are a guess."""

    name: str = ""
    before: float = 0.0
    this: float = 0.0
    after: float = 0.0

    def environment(self) -> Mapping[str, str]:
        """Return what tells the process of the report."""
        return {_VARIABLE: "|".join(map(str, asdict(self).values()))}

    @classmethod
    def of_environment(cls, name: str) -> Place:
        """Return the place that the process was told, else one of which only the name is known."""
        name, *seconds = os.environ.get(_VARIABLE, name).split("|")
        return cls(name, *map(float, seconds))

    def line(self, elapsed: float, text: str) -> str:
        """Return the line, so many seconds after the report began: a bar and what is left where that is known, and what is done now."""
        minutes, seconds = divmod(int(elapsed), 60)
        parts = [self.name, f"{minutes}:{seconds:02d}", *[text] * bool(text)]
        done, left = self.before + elapsed, max(0.0, self.this - elapsed) + self.after
        if self.this + self.after > 0:
            cells = round(_CELLS * done / (done + left))
            parts = [f"{'█' * cells}{'░' * (_CELLS - cells)} {_left(left)}", *parts]
        return " · ".join(parts)


def place_of(names: list[str], expected: Mapping[str, float], took: Mapping[str, float]) -> Place:
    """Return the place of the report that follows those that took so many seconds already, by what each was expected to take."""
    done, name = len(took), names[len(took)]
    guessed = sum(expected[one] for one in took)
    pace = sum(took.values()) / guessed if guessed else 1.0
    after = sum(expected[one] for one in names[done + 1 :])
    return Place(f"{done + 1} of {len(names)}, {name}", sum(took.values()), pace * expected[name], pace * after)


_place = Place()
_began = time.monotonic()
_shown = 0


def begin(place: Place) -> None:
    """Say from now on that this is what runs, and count the time from here."""
    global _place, _began
    _place, _began = place, time.monotonic()
    say("")


def say(text: str) -> None:
    """Show where the run is, in place of what was shown before."""
    if sys.stderr.isatty():
        _show(_place.line(time.monotonic() - _began, text))


def clear() -> None:
    """Take the line away, before something else is printed."""
    if _shown:
        _show("")


def _left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else "a minute left" if seconds >= 30 else "soon done"


def _show(line: str) -> None:
    global _shown
    line = line[:_WIDTH]
    sys.stderr.write(f"\r{line}{' ' * (_shown - len(line))}{chr(13) if not line else ''}")
    sys.stderr.flush()
    _shown = len(line)
