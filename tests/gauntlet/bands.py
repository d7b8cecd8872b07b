"""Anomaly bands over sixteen days of orders: how often is a quiet service told of, and how soon a fault?

    PYTHONPATH=tests python -m gauntlet.bands --seeds 20

Every seed draws each kind of history anew. The first eight days, in which a band learns, are nobody's fault: a fault comes after them.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gauntlet import alerts, curves, history, recording, worlds
from gauntlet.service import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gauntlet.alerts import Firing

DAYS = 16
MINUTES = DAYS * curves.DAY
LEARNT = 8 * curves.DAY
# A Monday: the weekends are days 5, 6, 12 and 13.
FIRST = 19_999 * curves.DAY
EXPRESSION = "sum by (job) (rate(shop_orders_total[5m]))"
BANDS: dict[str, Any] = {
    "robust": {"expression": EXPRESSION, "missing": "zero", "strategy": "robust"},
    "adaptive": {"expression": EXPRESSION, "missing": "zero", "strategy": "adaptive"},
}
EVERY = "4m"
"""How often the rules are evaluated here: a quarter of the work that it is each minute."""
SOON = 30
"""Minutes in which a fault has to be told: `for` is 15, the rate's window 5."""


@dataclass(frozen=True)
class Orders:
    """One service: orders a second in each minute, and what is wrong with it."""

    job: str
    rates: Sequence[float]
    begin: int | None = None
    """The minute in which the fault begins; None for a quiet service."""
    end: int = 0
    gone: frozenset[int] = frozenset()
    """Minutes in which there was nobody to scrape."""


def usual(rng: random.Random, *, low: float = 2.0, high: float = 200.0) -> list[float]:
    """Day and night, weekdays and weekends, and noise that lasts for a while."""
    base = math.exp(rng.uniform(math.log(low), math.log(high)))
    wave = curves.daily(
        FIRST, MINUTES, amplitude=rng.uniform(0.2, 0.8), peak=rng.randrange(curves.DAY), weekend=rng.uniform(0.3, 1.0)
    )
    noise = curves.wander(MINUTES, rng, sigma=rng.uniform(0.02, 0.12), memory=rng.choice([5, 30, 120]))
    days = [rng.gauss(1, 0.04) for _ in range(DAYS)]
    return [
        base * each * more * days[minute // curves.DAY]
        for minute, (each, more) in enumerate(zip(wave, noise, strict=True))
    ]


def _growth(rng: random.Random) -> list[float]:
    weekly = rng.uniform(1.1, 1.3)
    return [rate * weekly ** (minute / (7 * curves.DAY)) for minute, rate in enumerate(usual(rng))]


def _flat(rng: random.Random) -> list[float]:
    return [
        rng.uniform(0.5, 1) * 20 * each for each in curves.wander(MINUTES, rng, sigma=rng.uniform(0.02, 0.2), memory=20)
    ]


def _office(rng: random.Random) -> list[float]:
    """From nine to five, Monday to Friday; nothing otherwise."""
    noise = curves.wander(MINUTES, rng, sigma=0.1, memory=60)
    base = rng.uniform(0.5, 20)
    opened = [minute // curves.DAY % 7 < 5 and 540 <= minute % curves.DAY < 1020 for minute in range(MINUTES)]
    return [base * each if at else 0.0 for each, at in zip(noise, opened, strict=True)]


def _hourly(rng: random.Random) -> list[float]:
    """Batches of eight minutes at about the same minute of each hour."""
    starts = [hour * 60 + rng.randrange(5, 15) for hour in range(24 * DAYS)]
    return [
        rate * (4 if any(0 <= minute - start < 8 for start in starts[minute // 60 : minute // 60 + 1]) else 1)
        for minute, rate in enumerate(usual(rng))
    ]


def _low(rng: random.Random) -> list[float]:
    return usual(rng, low=0.0005, high=0.02)


QUIET: dict[str, Callable[[random.Random], list[float]]] = {
    "usual": usual, "growing": _growth, "flat": _flat, "office hours": _office, "hourly batches": _hourly, "few orders": _low,
}  # fmt: skip


def quiet(seed: int) -> Iterator[Orders]:
    """Yield a service of each kind in which nothing is wrong; one is released twice a day, with ten minutes without it each time."""
    for kind, course in QUIET.items():
        rng = _rng(seed, kind)
        yield Orders(f"{kind}/{seed}", course(rng))
    rng = _rng(seed, "releases")
    starts = [day * curves.DAY + rng.randrange(curves.DAY - 10) for day in range(DAYS) for _ in range(2)]
    gone = frozenset(minute for start in starts for minute in range(start, start + 10))
    yield Orders(f"releases/{seed}", usual(rng), gone=gone)


def faults(seed: int) -> Iterator[Orders]:
    """Yield a service with each fault, at any time after the week and a day of learning."""

    def drawn(kind: str, length: int, factor: float, *, gone: bool = False) -> Orders:
        rng = _rng(seed, kind)
        rates = usual(rng)
        begin = rng.randrange(LEARNT, MINUTES - 2 * curves.DAY)
        end = min(begin + length, MINUTES)
        changed = [rate * (factor if begin <= minute < end else 1) for minute, rate in enumerate(rates)]
        return Orders(f"{kind}/{seed}", changed, begin, end, frozenset(range(begin, end)) if gone else frozenset())

    yield drawn("no orders for an hour", 60, 0.0)
    yield drawn("gone for an hour", 60, 1.0, gone=True)
    yield drawn("a third for two hours", 120, 1 / 3)
    yield drawn("three times as many for an hour", 60, 3.0)
    yield drawn("twice as many from now on", MINUTES, 2.0)


def _rng(seed: int, kind: str) -> random.Random:
    return random.Random(zlib.crc32(f"bands/{seed}/{kind}".encode()))


def series_of(orders: Orders) -> Series:
    """Return the counter that a scrape a minute would have found: as many orders as fall, from 0 after each absence."""
    rng = _rng(0, orders.job)
    total, values = 0, list[float | None]()
    for minute, rate in enumerate(orders.rates):
        if minute in orders.gone:
            total = 0
            values.append(None)
            continue
        mean = 60 * rate
        total += _poisson(mean, rng)
        values.append(total)
    return Series("shop_orders_total", {"job": orders.job, "instance": "web-1:9464"}, values)


def _poisson(mean: float, rng: random.Random) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    number, product, bound = 0, rng.random(), math.exp(-mean)
    while product > bound:
        number, product = number + 1, product * rng.random()
    return number


def firings(services: Sequence[Orders], directory: Path, bands: dict[str, Any] | None = None) -> list[Firing]:
    """Return every alarm of the bands over the histories of some services."""
    overrides = {
        "scrapeInterval": "1m",
        "evaluationInterval": EVERY,
        "slo": {"availability": {"enabled": False}, "latency": {"enabled": False}},
        "anomaly": {"requests": {"enabled": False}},
        "anomalies": bands or BANDS,
    }
    files = worlds.files(overrides)
    recorded, alerting = (
        [group for group in files[name]["groups"] if group["name"].startswith("runtime-anomaly")]
        for name in ("recording.yaml", "alerts.yaml")
    )
    metrics, data = directory / "orders.om", directory / "data"
    history.write_openmetrics(metrics, FIRST, [(0, [series_of(each)]) for each in services])
    history.backfill(metrics, data)
    begin, end = 60 * FIRST, 60 * (FIRST + MINUTES)
    recording.record(recorded, data, begin, end)
    with history.prometheus(data) as url:
        return [each for group in alerting for each in alerts.firings(url, group, begin, end)]


@dataclass(frozen=True)
class Verdict:
    """What one band said of one service: the minutes it took to tell the fault (None: it did not), and its false alarms."""

    orders: Orders
    band: str
    delay: int | None
    false: tuple[Firing, ...]


def judge(services: Sequence[Orders], fired: Sequence[Firing], bands: Iterable[str] = tuple(BANDS)) -> list[Verdict]:
    """Return a verdict for each service and band. What follows a fault within a day and an hour is its echo, and no false alarm."""
    found = []
    for orders in services:
        for band in bands:
            mine = [each for each in fired if each.labels["job"] == orders.job and each.labels["anomaly"] == band]
            begin = None if orders.begin is None else 60 * (FIRST + orders.begin)
            until = 60 * (FIRST + min(orders.end, (orders.begin or 0) + curves.DAY) + 60)
            of_fault = [each for each in mine if begin is not None and begin <= each.begin < until]
            delay = min((each.begin - begin for each in of_fault), default=None) if begin is not None else None
            found.append(
                Verdict(
                    orders, band, None if delay is None else delay // 60, tuple(e for e in mine if e not in of_fault)
                )
            )
    return found


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield a line for each kind of history and band, as Markdown."""
    yield "| history | band | services | told | median delay | false alarms |"
    yield "|---|---|---|---|---|---|"
    rows: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        rows.setdefault((verdict.orders.job.partition("/")[0], verdict.band), []).append(verdict)
    for (kind, band), row in rows.items():
        delays = [verdict.delay for verdict in row if verdict.delay is not None]
        faulty = row[0].orders.begin is not None
        told = f"{len(delays)} | {statistics.median(delays):.0f} min" if delays else "0 | " if faulty else " | "
        yield f"| {kind} | {band} | {len(row)} | {told} | {sum(len(verdict.false) for verdict in row)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for some seeds; 1 where anything is missed or told wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--band", choices=[*BANDS], action="append", help="one of them only")
    given = parser.parse_args(arguments)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    services = [each for seed in seeds for each in (*quiet(seed), *faults(seed))]
    with tempfile.TemporaryDirectory(prefix="bands-") as directory:
        bands = {name: BANDS[name] for name in given.band or BANDS}
        verdicts = judge(services, firings(services, Path(directory), bands), bands)
    for line in table(verdicts):
        print(line)
    for verdict in verdicts:
        for each in verdict.false:
            at = each.begin // 60 - FIRST
            print(
                f"{verdict.orders.job} {verdict.band} {each.labels['direction']}: day {at / curves.DAY:.2f}, {(each.end - each.begin) // 60} min",
                file=sys.stderr,
            )
    wrong = [v for v in verdicts if v.false or (v.orders.begin is not None and v.delay is None)]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
