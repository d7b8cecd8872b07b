"""All workers as one: what they did in an interval, added up, goes through the same pipeline as an interval of one process.

    files of an interval, a worker and kind each -> Profile a kind -> Pipeline -> Verdict, for whoever is asked

One worker at a time does it. Its numbers of samples are those of the service: a comparison sees smaller changes than that of
one worker, and errs once where that of each would err as often as there are workers.
"""

from __future__ import annotations

import re
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.advice.catalogue import RULE_NAMES_OF_PROFILES
from runtime_exporter.profiling.naming import label
from runtime_exporter.profiling.pipeline import Taken
from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.together import added
from runtime_exporter.profiling.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from runtime_exporter.profiling.kept import Kept
    from runtime_exporter.profiling.pipeline import Pipeline, Report
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.store import Store
    from runtime_exporter.profiling.stored import Entry
    from runtime_exporter.profiling.together import Slot
    from runtime_exporter.profiling.verdict import Verdicts

KINDS: Final = ("cpu", "wall", "block", "mutex")
"""What is compared, or has rules that several processes can be asked of at once."""
_FIRST: Final = 15
"""Intervals that who begins takes in: those of the last votes of a comparison, which are not in its past yet (see `watch`)."""
_RUN: Final = 5
"""Intervals in a row that are looked at where there is not enough for all: only neighbours tell how much they resemble each other."""
_LATEST: Final = 2.5
"""Intervals without a verdict after which another worker makes it."""
_EARLY: Final = 0.1
"""Part of an interval by which it may be too early: intervals do not end to the millisecond."""
_FORGOTTEN: Final = 10.0
"""Intervals without a verdict after which the last one says nothing any more."""
_LONGEST_PAUSE: Final = 10.0
"""Intervals between two verdicts, at most, however much they cost."""
_RECENT: Final = 10
"""Intervals whose functions are known by worker, as many as advice is made of at most."""
_BACKEND: Final = re.compile(r"backend ([\w-]+), (?:unbiased|bias ratio ([0-9.]+))")
_LOOKS: Final = re.compile(r"looks (\d+),")


def taken(store: Store, slot: Slot, kinds: Collection[str] = KINDS) -> tuple[Taken, list[tuple[int, Profile]]]:
    """Return what all workers did in an interval, and the profiles of each that it is made of.

    Files that are gone or damaged are left out, and kinds of which there is none.
    """
    read = {kind: list(_read(store, files)) for kind, files in slot.files.items() if kind in kinds}
    each = [part for parts in read.values() for part in parts]
    leading = next((read[kind] for kind in ("cpu", "wall") if read.get(kind)), [])
    said = [match for _, one in leading for comment in one.comments if (match := _BACKEND.fullmatch(comment))]
    looks = (match for _, one in leading for comment in one.comments if (match := _LOOKS.match(comment)))
    worst = max(said, key=lambda match: float(match[2] or 0.0), default=None)
    whole = Taken(
        {kind: added([profile for _, profile in parts], slot) for kind, parts in read.items() if parts},
        slot.begin,
        slot.end,
        backend=worst[1] if worst is not None else "",
        unbiased=worst is None or worst[2] is None,
        bias_ratio=float(worst[2] or 0.0) if worst is not None else 0.0,
        samples=sum(int(match[1]) for match in looks),
    )
    return whole, each


def _read(store: Store, files: Sequence[Entry]) -> Iterator[tuple[int, Profile]]:
    for one in files:
        with suppress(ProfileError):  # removed meanwhile, or damaged, which the store has said
            yield one.worker or 0, store.read(one.name)


class Joint:
    """Takes in the intervals of all workers, while this one is who does. For one thread, but `series`, which is for any.

    kept: where they leave their profiles. verdicts: where what it came to is left. make: gives a new pipeline, with comparison
    and advice on profiles. worker: gives the number of this one. budget: tells the part of one core that it may use.
    """

    def __init__(
        self,
        kept: Kept,
        verdicts: Verdicts,
        make: Callable[[], Pipeline],
        *,
        interval: float,
        worker: Callable[[], int | None],
        budget: Callable[[], float] = lambda: 0.005,
        now: Callable[[], float] = time.time,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._kept = kept
        self._verdicts = verdicts
        self._make = make
        self._interval = interval
        self._worker = worker
        self._budget = budget
        self._now = now
        self._cpu = cpu
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: it is another worker, and other threads may have held the locks."""
        self._kept.forked()
        self._verdicts.forked()
        self._shown: tuple[Report, Verdict | None, Report] | None = None
        self._resign()

    def turn(self) -> None:
        """Take in what is new, if it is for this worker to do so now. Called after each of its intervals. Raises OSError."""
        number, now = self._worker(), self._now()
        if number is None or not self._is_mine(number, now):
            self._resign()
            return
        if now < self._due - _EARLY * self._interval:
            return
        slots = self._kept.slots(self._until)[-self._affordable(now) :]
        if slots:
            self._take_in(slots, number, now)

    def series(self, own: Report) -> Report:
        """Return what of this worker's own report becomes series, beside those of all others.

        Of comparisons and of advice on profiles these are the service's, and every worker tells the same: one that ends leaves no gap.
        """
        if self._worker() is None or self._kept.store.problem:  # alone, or nobody knows of the others
            return own
        last = self._verdicts.read()
        if last is not None and self._now() > last.due + _FORGOTTEN * self._interval:
            last = None
        shown = self._shown
        if shown is None or shown[0] is not own or shown[1] is not last:
            advice = [one for one in own.recommendations if one.rule not in RULE_NAMES_OF_PROFILES]
            told = replace(
                own,
                comparisons=last.comparisons if last is not None else {},
                recommendations=(*advice, *(last.advice if last is not None else ())),
            )
            self._shown = shown = (own, last, told)
        return shown[2]

    def _is_mine(self, number: int, now: float) -> bool:
        """Return whether this worker is who looks at all, or has to begin: the one that did is gone, or hangs.

        Who follows one of its number waits, too: what has been spent is to be made up for, whoever has done so.
        """
        last = self._verdicts.read()
        if last is None or (last.by == number and self._pipeline is not None):
            return True
        patience = 0.0 if last.by == number else _LATEST * self._interval
        return now > last.due + patience - _EARLY * self._interval

    def _resign(self) -> None:
        """Forget all: another worker does it."""
        self._pipeline: Pipeline | None = None
        self._functions: deque[Mapping[int, frozenset[str]]] = deque(maxlen=_RECENT)
        self._until = self._due = float("-inf")
        self._cost = 0.0

    def _affordable(self, now: float) -> int:
        """Return how many intervals may be taken in: what would cost more than there is leaves the older ones out."""
        if self._pipeline is None or not self._cost:
            return _FIRST
        passed = min(now - self._until, _LONGEST_PAUSE * self._interval)
        return max(1, int(passed * self._budget() / self._cost))

    def _take_in(self, slots: Sequence[Slot], number: int, now: float) -> None:
        begin = self._cpu()
        pipeline = self._pipeline = self._pipeline or self._make()
        for slot in slots:
            whole, each = taken(self._kept.store, slot)
            if whole.profiles:
                self._functions.append(_functions(each))
                pipeline.take_in(whole)
        spent = self._cpu() - begin
        self._until, self._cost = slots[-1].end, spent / len(slots)
        budget = self._budget()
        affordable = spent / budget if budget > 0 else 0.0
        if affordable > self._interval:
            affordable = max(affordable, _RUN * self._cost / budget)
        self._due = now + max(self._interval, min(affordable, _LONGEST_PAUSE * self._interval))
        report = pipeline.report
        advice = [{**asdict(one), "workers": self._seen_in(one.target)} for one in report.recommendations]
        self._verdicts.write(Verdict(number, self._until, self._due, report.comparisons, advice))

    def _seen_in(self, target: str) -> list[int]:
        """Return the workers that were seen in a function lately; all of them for what is no function."""
        everyone = {worker for one in self._functions for worker in one}
        return sorted(
            {worker for one in self._functions for worker, names in one.items() if target in names} or everyone
        )


def _functions(each: Sequence[tuple[int, Profile]]) -> dict[int, frozenset[str]]:
    """Return the functions of each worker's profiles by the names that series and advice call them."""
    found: dict[int, set[str]] = {}
    for worker, profile in each:
        found.setdefault(worker, set()).update(
            label(Frame(one.name or one.system_name, one.filename, 0, one.start_line)) for one in profile.functions
        )
    return {worker: frozenset(names) for worker, names in found.items()}
