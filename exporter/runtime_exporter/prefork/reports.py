"""What the profiles of all workers came to, whoever is asked: summary, comparison with the past, and advice.

Profiles are read from the files that workers leave, whether they still live or not, and added up before anything is made of them.
What is of one process alone (its heap, its GIL, its event loop) each worker is asked for: who does not answer in time is named.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final

from runtime_exporter.prefork.advised import ask_each, recommended, suspected
from runtime_exporter.prefork.alone import compared
from runtime_exporter.prefork.peers import Peers
from runtime_exporter.profiling.joint import taken
from runtime_exporter.profiling.pipeline import Interval, Report
from runtime_exporter.profiling.process import left_in
from runtime_exporter.profiling.summary import INSTANT
from runtime_exporter.profiling.table import tabulate
from runtime_exporter.profiling.verdict import Verdicts
from runtime_exporter.profiling.windows import is_idle
from runtime_exporter.web import summary_pages
from runtime_exporter.web.page import json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from runtime_exporter.profiling.kept import Kept
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.stored import Entry
    from runtime_exporter.profiling.table import Table
    from runtime_exporter.profiling.together import Slot
    from runtime_exporter.profiling.watch import Judgement
    from runtime_exporter.web.page import Ask, Reply

READ_SECONDS: Final = 5.0
"""Profiles are read for so long at most, the newest first; what was older than they reach is left out."""
MOST_SLOTS: Final = 60
"""Intervals of a summary, at most, as many as a process remembers of itself."""
_MOST_TABLES: Final = 30
"""Tables that are remembered, 20 to 100 kB each: of the five minutes that are told unless more is asked for, and the usual four kinds."""
_INSTANTS: Final = 10
"""Intervals within which each worker has a profile of what costs much to take, such as its heap."""
_EARLY: Final = "no worker has finished an interval of profiling"
_NOT_SEEN: Final = "it left no profile of this time"


class Reports:
    """What all workers know together. For any number of threads.

    kept: where they leave their profiles, None: nowhere. own: gives the last report of this process, which is one of them, and
    number which one it is; None: it is none.
    """

    def __init__(
        self,
        kept: Kept | None,
        verdicts: Verdicts,
        peers: Peers,
        *,
        own: Callable[[], Report | None] | None = None,
        number: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._kept = kept
        self._verdicts = verdicts
        self._peers = peers
        self._own = own
        self._number = number
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: another thread may have held the lock."""
        self._lock = Lock()
        self._verdicts.forked()
        self._tables: OrderedDict[tuple[Entry, ...], Table] = OrderedDict()

    def comparisons(self) -> Mapping[str, Judgement]:
        """Return what the last comparison with the past said of all workers together, by kind of profile."""
        if self._own is not None and self._number() is None:
            return compared(self._own())
        verdict = self._verdicts.read()
        return verdict.comparisons if verdict is not None else {}

    def summary(self, ask: Ask) -> Report | None:
        """Return what `/api/v1/summary` is made of: the last intervals of all workers, as far back as it asks for."""
        known = self._slots()
        if not known or self._kept is None:
            return self._own() if self._own is not None else Report()
        seconds, last = _seconds(ask), known[-1]
        slots = [one for one in known if one is last or last.end - one.begin <= seconds][-MOST_SLOTS:]
        living = self._peers.numbers()
        seen = {worker for slot in slots for worker in slot.workers}
        wanted = ask.query.get("kind", [""])[-1]
        recent = self._over_time(slots, wanted) | self._now(known[-_INSTANTS:], wanted, living or seen)
        about, _ = taken(self._kept.store, last, _leading(last))
        return Report(
            Interval(about, {kind: tables[-1] for kind, tables in recent.items() if tables}, recent),
            comparisons=self.comparisons(),
            workers=tuple(sorted(seen)),
            missing={number: _NOT_SEEN for number in living if number not in seen},
        )

    def advice(self, ask: Ask) -> Reply:
        """Return the page `/api/v1/recommendations` of all workers."""
        known, own = self._slots(), self._own
        if own is not None and not known:
            return summary_pages.ReportPage(lambda _: own(), summary_pages.recommendations)(ask)
        if not known or self._kept is None:
            return json_reply({"error": _EARLY}, 503)
        try:
            severities = summary_pages.severities(ask)
        except ValueError as error:
            return json_reply({"error": str(error)}, 400)
        about, _ = taken(self._kept.store, known[-1], _leading(known[-1]))
        pages, missing = ask_each(self._peers, self._number(), own() if own is not None else None)
        rows = recommended(self._verdicts.read(), pages)
        return json_reply(
            summary_pages.plain(
                {
                    **summary_pages.about(about),
                    "workers": sorted(pages),
                    "missing": summary_pages.named(missing),
                    "recommendations": [one for one in rows if one["severity"] in severities],
                    **suspected(pages),
                }
            )
        )

    def _slots(self) -> list[Slot]:
        """Return the intervals of all workers, the oldest first; none where nothing is kept, or this process is alone."""
        if self._kept is None or (self._own is not None and self._number() is None):
            return []
        return self._kept.slots()

    def _over_time(self, slots: Sequence[Slot], wanted: str) -> dict[str, tuple[Table, ...]]:
        """Return the tables of each kind that adds up, the oldest first; none of a kind that is not wanted.

        The newest are read first, until that has taken long enough.
        """
        found: dict[str, list[Table]] = {kind: [] for slot in slots for kind in slot.files if kind not in INSTANT}
        end = time.monotonic() + READ_SECONDS
        for slot in reversed(slots):
            for kind in found.keys() & slot.files.keys():
                if wanted in ("", kind):
                    found[kind] += self._table(kind, slot, slot.files[kind])
            if time.monotonic() > end:
                break
        return {kind: tuple(reversed(tables)) for kind, tables in found.items()}

    def _now(self, slots: Sequence[Slot], wanted: str, workers: Collection[int]) -> dict[str, tuple[Table, ...]]:
        """Return the table of each kind that says how things are, made of the newest profile of each of these workers."""
        found: dict[str, tuple[Table, ...]] = {}
        for kind in {kind for slot in slots for kind in slot.files} & INSTANT:
            newest = {one.worker: one for slot in slots for one in slot.files.get(kind, ()) if one.worker in workers}
            found[kind] = self._table(kind, slots[-1], tuple(newest.values())) if wanted in ("", kind) else ()
        return found

    def _table(self, kind: str, slot: Slot, files: tuple[Entry, ...]) -> tuple[Table, ...]:
        """Return the table of some files, unless none of them can be read."""
        with self._lock:
            table = self._tables.get(files)
        if table is None:
            profile = self._read(kind, slot, files)
            if profile is None:
                return ()
            table = tabulate(profile, kind=kind, idle=is_idle if kind == "wall" else None)
            with self._lock:
                self._tables[files] = table
                while len(self._tables) > _MOST_TABLES:
                    self._tables.popitem(last=False)
        return (table,)

    def _read(self, kind: str, slot: Slot, files: tuple[Entry, ...]) -> Profile | None:
        if self._kept is None:
            return None
        whole, _ = taken(self._kept.store, slot._replace(files={kind: files}), (kind,))
        return whole.profiles.get(kind)


def reports_of(
    directory: Path,
    kept: Kept | None,
    *,
    own: Callable[[], Report | None] | None = None,
    number: Callable[[], int | None] = lambda: None,
) -> Reports:
    """Return what the workers of a run directory know together."""
    return Reports(kept, Verdicts(left_in(directory)), Peers(directory), own=own, number=number)


def _leading(slot: Slot) -> tuple[str, ...]:
    """Return the kind whose profiles say how samples were taken."""
    return next(((kind,) for kind in ("cpu", "wall") if kind in slot.files), ())


def _seconds(ask: Ask) -> float:
    """Return how far back is asked for; the page refuses what is no number."""
    try:
        seconds = float(ask.query.get("seconds", [""])[-1] or summary_pages.SECONDS)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0
