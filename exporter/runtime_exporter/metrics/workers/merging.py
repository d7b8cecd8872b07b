"""Many processes as one: their numbers added up, or put together as each family says."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from runtime_exporter.metrics.workers import retired
from runtime_exporter.metrics.workers.ending import ENDS
from runtime_exporter.metrics.workers.folding import fold
from runtime_exporter.metrics.workers.life import Life
from runtime_exporter.metrics.workers.plan import Plan
from runtime_exporter.metrics.workers.slots import folding, living, names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runtime_exporter.metrics.metric import Metric
    from runtime_exporter.metrics.workers.slots import Name

_TRIES: Final = 5
"""How often everything is read again because somebody folded meanwhile, before folding is held up."""

_PATIENCE: Final = 1.0
"""Seconds that a scrape waits for that. Nothing else that it does can wait for another process."""


class Merged:
    """All processes of a run directory as one collector. Keeps what it has read for the next scrape.

    What the files contain never makes it raise; a directory that is gone is one without workers.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._lives: dict[Name, Life] = {}
        self._alive: set[Name] = set()
        self._retired = retired.Retired()
        self._plan = Plan(self._retired, (), ())
        self._state: object = None

    def collected_families(self) -> Sequence[Metric]:
        """Bring the merged families up to date and return them: ordinary metrics, for an exposition."""
        with self._lock:
            with suppress(OSError):
                self._refresh()
            return self._plan.metrics

    def states(self) -> Mapping[str, int]:
        """Return how many workers live, are dead and not folded yet, and were folded, as of the last scrape."""
        with self._lock:
            dead = len(self._lives.keys() - self._alive)
            return {"live": len(self._lives) - dead, "dead": dead, "retired": self._retired.deaths}

    def ends(self) -> Mapping[str, int]:
        """Return how those that were folded ended, as of the last scrape: by every word of `ending.py`."""
        with self._lock:
            return {how: self._retired.ends[how] for how in ENDS}

    @property
    def left_out(self) -> int:
        """Series whose family another worker defines in another way, so that they cannot be added."""
        return self._plan.left_out

    def forked(self) -> None:
        """Give back the files in the child of a fork, where another thread may have held the lock."""
        self._lock = threading.Lock()
        self.close()

    def close(self) -> None:
        """Give back the files."""
        with self._lock:
            for life in self._lives.values():
                life.close()
            self._lives = {}
            self._state = None

    def _refresh(self) -> None:
        with suppress(OSError):
            fold(self._directory)
        for _ in range(_TRIES):
            if self._read():
                break
        else:
            with folding(self._directory, wait=_PATIENCE) as alone:
                if not self._read() and not alone and self._plan.metrics:
                    return  # what was said last: this may have somebody twice, or not at all
        state = self._now()
        if state != self._state:
            live = [life for name, life in self._lives.items() if name in self._alive]
            dead = [life for name, life in self._lives.items() if name not in self._alive]
            self._plan = Plan(self._retired, dead, live)
            self._state = state
        self._plan.put_together()

    def _read(self) -> bool:
        """Read everything; return whether it belongs together: nobody folded and nothing ended meanwhile."""
        generation = retired.generation(self._directory)
        if generation != self._retired.generation:
            self._retired = retired.read(self._directory)
        self._open()
        for life in self._lives.values():
            self._take_keys(life)
            life.read_cells()
        moved = any(life.moved() for life in self._lives.values())
        return not moved and retired.generation(self._directory) == self._retired.generation

    def _open(self) -> None:
        """Know who lives, and whose files there are."""
        found = names(self._directory)
        self._alive = living(self._directory)
        wanted = [name for name in found if self._retired.folded.get(str(name)) != retired.WHOLE]
        for name in self._lives.keys() - set(wanted):
            self._lives.pop(name).close()
        for name in wanted:
            if name not in self._lives:
                with suppress(OSError):
                    self._lives[name] = Life(self._directory, name)

    def _take_keys(self, life: Life) -> None:
        born = life.read_keys()
        if born and not self._plan.born(life, born):
            self._state = None

    def _now(self) -> object:
        """Return what a plan was made for: it holds for as long as this is the same."""
        return (
            self._retired.generation,
            frozenset(self._alive),
            tuple((name, life.keys.changes, frozenset(life.hidden())) for name, life in self._lives.items()),
        )
