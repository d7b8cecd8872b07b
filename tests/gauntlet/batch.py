"""A few cases of one world and one length: their histories into a Prometheus, the alerts over them, and what that is worth."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import tempfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from gauntlet import alerts, history, recording, score
from gauntlet.cases import DAY, END, Case, draw
from gauntlet.faults import FAULTS
from gauntlet.quiet import QUIET
from gauntlet.service import series_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gauntlet.alerts import Firing
    from gauntlet.cases import Draw
    from gauntlet.score import Score
    from gauntlet.worlds import Rules

HERE = Path(__file__).parent
# Days of all histories in a batch: enough that starting Prometheus counts for little, few enough for 1 GB of memory and of disk.
DAYS = 40


class Batch(NamedTuple):
    """Cases that share a Prometheus: none has a longer history than the others, which would be evaluated for all."""

    seed: int
    world: str
    minutes: int
    names: tuple[str, ...]

    @property
    def work(self) -> int:
        """Roughly what it costs: minutes of histories."""
        return self.minutes * len(self.names)


@dataclass(frozen=True)
class Plan:
    """What every batch is looked at with. Histories that are in `keep` are taken again; without it nothing is left behind."""

    rules: dict[str, Rules]
    detectors: tuple[str, ...]
    beside: dict[str, str]
    directory: Path
    keep: bool = False


class Result(NamedTuple):
    """What a batch has shown: its cases without their histories, and the scores of our alerts and of the naive ones."""

    batch: Batch
    cases: list[Case]
    ours: dict[str, Score]
    naive: dict[str, Score]


def catalogue() -> dict[str, tuple[Callable[[Draw], Case], dict[str, Any]]]:
    """Return recipe and settings of every case by its name."""
    return {
        f"{'quiet' if table is QUIET else 'fault'}/{kind}/{number}": (recipe, given)
        for table in (QUIET, FAULTS)
        for kind, (recipe, count, given) in table.items()
        for number in range(count)
    }


def batches(seeds: Sequence[int], names: Sequence[str]) -> list[Batch]:
    """Return who goes together, the longest histories first: what is begun last should not take long."""
    known = catalogue()
    groups: dict[tuple[int, str, int], list[str]] = {}
    for seed in seeds:
        for name in names:
            given = known[name][1]
            key = -given.get("minutes", 2 * DAY), given.get("world", "one cluster"), seed
            groups.setdefault(key, []).append(name)
    found = []
    for (minutes, world, seed), members in sorted(groups.items()):
        # As many batches as are needed, all about equally large.
        count = -(-len(members) * -minutes // (DAYS * DAY))
        found += [Batch(seed, world, -minutes, tuple(members[start::count])) for start in range(count)]
    return found


def cases(batch: Batch) -> list[Case]:
    known = catalogue()
    return [known[name][0](draw(batch.seed, name, **known[name][1])) for name in batch.names]


def run(batch: Batch, plan: Plan) -> Result:
    drawn = cases(batch)
    rules = plan.rules[batch.world]
    with _directory(plan) as directory:
        data = prepare(batch, drawn, rules.recording, directory)
        fired = firings(batch, rules, data)
    return Result(
        batch,
        [case.label for case in drawn],
        score.judge(drawn, fired, plan.detectors),
        score.judge_naive(drawn, fired, plan.beside),
    )


def firings(batch: Batch, rules: Rules, data: Path) -> list[Firing]:
    """Return everything that the alerts would have said, ours and the naive ones."""
    with history.prometheus(data) as url:
        return [
            firing
            for group in (*rules.alerts, *rules.naive)
            for firing in alerts.firings(url, group, 60 * (END - batch.minutes), 60 * END)
        ]


def histories(case: Case) -> Iterator[tuple[int, list[Any]]]:
    """Yield (second of the minute in which it is scraped, its series) of each process."""
    for number, process in enumerate(case.processes):
        rng = random.Random(zlib.crc32(f"{case.seed}/{case.name}/{number}".encode()))
        yield rng.randrange(60), list(series_of(process, rng))


@contextmanager
def _directory(plan: Plan) -> Iterator[Path]:
    if plan.keep:
        yield plan.directory
        return
    with tempfile.TemporaryDirectory(dir=plan.directory) as directory:
        yield Path(directory)


def prepare(batch: Batch, drawn: Sequence[Case], rules: list[dict[str, Any]], directory: Path) -> Path:
    """Return the data directory of a batch: what was backfilled before is taken again, what was recorded only under the same rules."""
    source = b"".join(path.read_bytes() for path in sorted(HERE.rglob("*.py")))
    raw = directory / f"raw-{_digest(source, repr(batch).encode())}"
    if not (raw / "complete").exists():
        shutil.rmtree(raw, ignore_errors=True)
        raw.mkdir(parents=True)
        metrics = raw / "all.om"
        history.write_openmetrics(metrics, drawn[0].first, (one for case in drawn for one in histories(case)))
        history.backfill(metrics, raw / "data")
        metrics.unlink()
        (raw / "complete").touch()
    recorded = directory / f"recorded-{_digest(raw.name.encode(), yaml.safe_dump(rules).encode())}"
    if not (recorded / "complete").exists():
        shutil.rmtree(recorded, ignore_errors=True)
        # Blocks are never written to again: linked, they are there twice at the price of once.
        shutil.copytree(raw / "data", recorded / "data", copy_function=os.link)
        recording.record(rules, recorded / "data", 60 * drawn[0].first, 60 * END)
        (recorded / "complete").touch()
    return recorded / "data"


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
