"""What a case is: simulated processes of one job, and what must be said of them. The cases themselves: quiet.py, faults.py."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from gauntlet import curves
from gauntlet.service import MIB, Process

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR = 60
DAY = 24 * HOUR
# Every history ends here: Friday, 23 January 2026, 12:00 UTC, so that the last days are working days.
END = 29_486_160


class Fault(NamedTuple):
    """What must be told: one of `alerts` within `within` minutes from the minute `begin` of the history on."""

    alerts: frozenset[str]
    begin: int
    within: int
    until: int | None = None
    labels: dict[str, str] = {}


@dataclass(frozen=True)
class Case:
    """A job with its history. No fault: nothing may be said of it. `tolerated` is what the fault may bring with it."""

    name: str
    processes: tuple[Process, ...]
    faults: tuple[Fault, ...] = ()
    tolerated: frozenset[str] = frozenset()
    first: int = 0  # minutes since the epoch
    minutes: int = 0
    seed: int = 1

    @property
    def job(self) -> str:
        """The job's name is the case's: that is how an alert finds back."""
        return self.name

    @property
    def title(self) -> str:
        """The name among those of all seeds."""
        return f"{self.name}, seed {self.seed}"

    @property
    def kind(self) -> str:
        """The name without the number."""
        return self.name.rsplit("/", 1)[0]

    @property
    def label(self) -> Case:
        """What is to be said of it, without the history: a few lines instead of megabytes."""
        return replace(self, processes=())


@dataclass
class Draw:
    """What a recipe draws from: its generator, and the names of the case."""

    seed: int
    name: str
    rng: random.Random
    minutes: int = 2 * DAY
    world: str = "one cluster"

    @property
    def first(self) -> int:
        """The minute since the epoch in which the history begins."""
        return END - self.minutes

    def within(self, low: float, high: float) -> float:
        return self.rng.uniform(low, high)

    def minute(self, low: float, high: float) -> int:
        """A minute of the history between two hours."""
        return int(self.rng.uniform(low, high) * HOUR)

    def lost_scrapes(self, share: float) -> set[int]:
        """The minutes in which a scrape fails, at random, and never more than two in a row: after five the target is down."""
        lost: set[int] = set()
        for minute in range(self.minutes):
            if self.rng.random() < share and not {minute - 1, minute - 2} <= lost:
                lost.add(minute)
        return lost

    def labels(self, instance: int | str = 0, cluster: str = "eu") -> dict[str, str]:
        given = {"job": self.name, "namespace": "store", "instance": f"10.0.0.{instance}:9464"}
        return {"cluster": cluster} | given if self.world == "two clusters" else given

    def process(
        self, instance: int | str = 0, *, amplitude: float = 0.0, cluster: str = "eu", **given: object
    ) -> Process:
        """An ordinary service: everything wanders a little, and follows the load as far as it does in life."""
        rng, minutes = self.rng, self.minutes
        peak = int(given.pop("peak", 15 * HOUR))  # type: ignore[call-overload]
        weekend = float(given.pop("weekend", 1.0))  # type: ignore[arg-type]
        rate = float(given.pop("rate", self.within(2, 20)))  # type: ignore[arg-type]
        day = curves.times(
            curves.daily(self.first, minutes, amplitude=amplitude, peak=peak, weekend=weekend),
            curves.wander(minutes, rng, sigma=0.05, memory=20),
        )
        memory, cores, threads = self.within(80, 600) * MIB, self.within(0.05, 0.4), self.within(8, 40)
        slow = curves.wander(minutes, rng, sigma=0.006, memory=120)
        process = Process(
            self.labels(instance, cluster),
            self.first,
            minutes,
            memory=[memory * (0.85 + 0.15 * busy) * own for busy, own in zip(day, slow, strict=True)],
            cores=[cores * (0.2 + 0.8 * busy) * max(0.3, rng.gauss(1, 0.08)) for busy in day],
            threads=[threads * (0.8 + 0.2 * busy) + rng.gauss(0, 0.6) for busy in day],
            gc=[0.01 * busy * rng.uniform(0.7, 1.3) for busy in day],
            load=[rate * busy for busy in day],
            latency=[0.04 * (0.8 + 0.2 * busy) * max(0.5, rng.gauss(1, 0.06)) for busy in day],
            errors=curves.flat(minutes, 0.0001),
            files=[20 + 10 * busy for busy in day],
            maximum_threads=float(round(5 * threads)),
        )
        if self.world == "Go":
            process = self._in_go(process, day)
        return replace(process, **given)  # type: ignore[arg-type]

    def _in_go(self, process: Process, day: curves.Curve) -> Process:
        """Go's client: goroutines that come and go with the requests, pauses of microseconds, memory in the teeth of its collector."""
        base = self.within(30, 300)
        teeth = curves.sawtooth(self.minutes, self.rng, period=self.within(2, 8), height=self.within(0.05, 0.3))
        return replace(
            process,
            source="go",
            memory=curves.times(process.memory or [], teeth),
            threads=None,
            goroutines=[base * (0.3 + 0.7 * busy) * max(0.5, self.rng.gauss(1, 0.1)) for busy in day],
            gc=[0.0005 * busy for busy in day],
        )

    def case(self, *processes: Process, faults: Iterable[Fault] = (), tolerated: Iterable[str] = ()) -> Case:
        return Case(self.name, processes, tuple(faults), frozenset(tolerated), self.first, self.minutes, self.seed)


def draw(seed: int, name: str, **given: object) -> Draw:
    """Return what a case is made from: the same seed and name give the same case, whatever other cases there are."""
    return Draw(seed, name, random.Random(zlib.crc32(f"{seed}/{name}".encode())), **given)  # type: ignore[arg-type]


def told(alerts: str | Iterable[str], begin: int, within: float, *, until: int | None = None, **labels: str) -> Fault:
    names = {alerts} if isinstance(alerts, str) else set(alerts)
    return Fault(frozenset(names), begin, round(within), until, labels)
