"""One run: cases from a seed, their histories into Prometheus, every alert over them."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gauntlet import alerts, history
from gauntlet.cases import END, Case, draw
from gauntlet.faults import FAULTS
from gauntlet.quiet import QUIET
from gauntlet.service import series_of
from runtime_exporter.mixin import config, jsonnet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gauntlet.alerts import Firing

HERE = Path(__file__).parent
# The histories are scraped each minute; everything else is as it is by default.
OVERRIDES: dict[str, dict[str, Any]] = {
    "one cluster": {"scrapeInterval": "1m"},
    "two clusters": {"scrapeInterval": "1m", "showMultiCluster": True},
}


@dataclass(frozen=True)
class World:
    """A Prometheus' worth of cases: with several clusters, or of Go, the rules are others, so these are in one of their own."""

    name: str
    cases: tuple[Case, ...]
    rules: dict[str, Any]
    alerts: dict[str, Any]


def rules(overrides: dict[str, Any]) -> dict[str, Any]:
    """Return the rule files, as `generate` writes them, without the dashboards that it makes, too."""
    return dict(jsonnet.evaluate("rules/main.jsonnet", config=config.check(overrides, config.defaults()))["rules"])


def catalogue() -> dict[str, tuple[Any, dict[str, object]]]:
    """Return recipe and settings of every case by its name."""
    return {
        f"{'quiet' if table is QUIET else 'fault'}/{kind}/{number}": (recipe, given)
        for table in (QUIET, FAULTS)
        for kind, (recipe, count, given) in table.items()
        for number in range(count)
    }


def cases(seed: int, names: list[str]) -> list[Case]:
    known = catalogue()
    return [known[name][0](draw(seed, name, **known[name][1])) for name in names]


def worlds(seed: int, names: list[str]) -> Iterator[World]:
    """Yield those that there are cases for."""
    drawn = cases(seed, names)
    for world, overrides in OVERRIDES.items():
        chosen = tuple(case for case in drawn if case.world == world)
        if chosen:
            files = rules(overrides)
            yield World(world, chosen, files["recording.yaml"], files["alerts.yaml"])


def histories(case: Case, seed: int) -> Iterator[tuple[int, list[Any]]]:
    """Yield (second of the minute in which it is scraped, its series) of each process."""
    for number, process in enumerate(case.processes):
        rng = random.Random(zlib.crc32(f"{seed}/{case.name}/{number}".encode()))
        yield rng.randrange(60), list(series_of(process, rng))


def _write_case(path: Path, case: Case, seed: int) -> int:
    return history.write_openmetrics(path, case.processes[0].first, histories(case, seed))


def prepare(world: World, seed: int, directory: Path, say: Callable[[str], None]) -> Path:
    """Return the data directory of a world: what was backfilled before is taken again, what was recorded only under the same rules."""
    names = " ".join(case.name for case in world.cases)
    source = b"".join((HERE / f"{name}.py").read_bytes() for name in ("curves", "service", "cases", "quiet", "faults"))
    raw = directory / f"raw-{_digest(source, str(seed).encode(), names.encode())}"
    if not (raw / "complete").exists():
        shutil.rmtree(raw, ignore_errors=True)
        raw.mkdir(parents=True)
        _backfill(world, seed, raw, say)
        (raw / "complete").touch()
    recorded = directory / f"recorded-{_digest(raw.name.encode(), yaml.safe_dump(world.rules).encode())}"
    if not (recorded / "complete").exists():
        shutil.rmtree(recorded, ignore_errors=True)
        shutil.copytree(raw / "data", recorded / "data")
        begin = 60 * min(case.processes[0].first for case in world.cases)
        passes = history.record(world.rules, recorded / "data", begin, 60 * END)
        say(f"recording rules evaluated in {passes} passes")
        (recorded / "complete").touch()
    return recorded / "data"


def _backfill(world: World, seed: int, raw: Path, say: Callable[[str], None]) -> None:
    parts = [raw / f"{number}.om" for number in range(len(world.cases))]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        samples = sum(pool.map(_write_case, parts, world.cases, [seed] * len(parts), chunksize=4))
    say(f"{len(world.cases)} histories, {samples / 1e6:.1f} million samples")
    whole = raw / "all.om"
    with whole.open("wb") as file:
        for part in parts:
            content = part.read_bytes()
            file.write(content[: -len(b"# EOF\n")])
            part.unlink()
        file.write(b"# EOF\n")
    history.backfill(whole, raw / "data")
    whole.unlink()
    say("backfilled")


def firings(world: World, data: Path, detectors: set[str], say: Callable[[str], None]) -> list[Firing]:
    """Return everything that the chosen alerts, ours and the naive ones, would have said."""
    naive = yaml.safe_load((HERE / "naive.yaml").read_text(encoding="utf-8"))
    begin = 60 * min(case.processes[0].first for case in world.cases)
    found = []
    answers = data.parent / "answers"
    answers.mkdir(exist_ok=True)
    with history.prometheus(data) as url:
        wanted = [
            {**group, "rules": [rule]}
            for group in [*world.alerts["groups"], *naive["groups"]]
            for rule in group["rules"]
            if _wanted(rule, detectors)
        ]

        def evaluate(group: dict[str, Any]) -> list[Firing]:
            fired = list(alerts.firings(url, group, begin, 60 * END, answers))
            say(f"{group['rules'][0]['alert']}: {len(fired)} alarms")
            return fired

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            for fired in pool.map(evaluate, wanted):
                found += fired
    return found


def _wanted(rule: dict[str, Any], detectors: set[str]) -> bool:
    return bool({rule.get("alert"), rule.get("labels", {}).get("beside")} & detectors)


def detectors() -> list[str]:
    """Return the alerts that the gauntlet looks at: all, but for the one that always fires."""
    names = {rule["alert"] for group in rules({})["alerts.yaml"]["groups"] for rule in group["rules"]}
    return sorted(names - {"Watchdog"})


def naive() -> dict[str, str]:
    """Return which detector each naive rule stands beside."""
    document = yaml.safe_load((HERE / "naive.yaml").read_text(encoding="utf-8"))
    return {rule["alert"]: rule["labels"]["beside"] for group in document["groups"] for rule in group["rules"]}


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
