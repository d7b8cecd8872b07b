"""`python -m gauntlet`: which faults each alert catches, how soon, and what it says for nothing."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from gauntlet import batch, page, pool, score, table, worlds
from gauntlet.faults import FAULTS
from gauntlet.quiet import QUIET
from runtime_exporter.errors import ExporterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gauntlet.batch import Batch, Plan, Result

QUIET_GOAL = 80
CAUGHT_GOAL = 0.95


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    known, detectors = batch.catalogue(), worlds.detectors()
    names = [name for name in known if not options.case or any(part in name for part in options.case)]
    if options.quick:
        names = [name for name in names if name.endswith("/0")]
    chosen = [name for name in detectors if not options.detector or any(part in name for part in options.detector)]
    if not names or not chosen:
        print(
            f"no case or no detector matches; cases: {', '.join(known)}; detectors: {', '.join(detectors)}",
            file=sys.stderr,
        )
        return 2
    found = _found(options, batch.batches(options.seed, names), chosen)
    cases = [case for result in found for case in result.cases]
    ours, naive = table.total(result.ours for result in found), table.total(result.naive for result in found)
    beside = worlds.beside(chosen) if options.naive else {}
    print(table.text(ours, naive, beside))
    print(table.misses(ours))
    # What was chosen by hand has too few quiet cases for that goal.
    whole = not options.case and not options.detector and not options.quick
    unreached = score.goals(cases, ours.values(), quiet=QUIET_GOAL if whole else 0, share=CAUGHT_GOAL)
    if options.write:
        text = page.page(command(options), cases, ours, naive, beside, unreached)
        _write(Path(options.write), text)
    print("\n".join(f"not reached: {line}" for line in unreached) or "all goals are reached")
    return 1 if unreached else 0


def _found(options: argparse.Namespace, batches: Sequence[Batch], chosen: Sequence[str]) -> list[Result]:
    """Return the results in the order of the batches, whichever was done first."""
    with pool.ended_cleanly(), tempfile.TemporaryDirectory(prefix="gauntlet-") as temporary:
        plan = batch.Plan(
            {world: worlds.rules(world).of(chosen, naive=options.naive) for world in {one.world for one in batches}},
            tuple(chosen),
            worlds.beside(chosen) if options.naive else {},
            Path(options.keep or temporary).resolve(),
            keep=options.keep is not None,
        )
        plan.directory.mkdir(parents=True, exist_ok=True)
        results = _watched(batches, plan, options.jobs)
    return sorted(results, key=lambda result: batches.index(result.batch))


def _watched(batches: Sequence[Batch], plan: Plan, jobs: int) -> list[Result]:
    """Run them, and say after each how much is left."""
    begin, found = time.monotonic(), []
    whole, cases = sum(one.work for one in batches), sum(len(one.names) for one in batches)
    print(f"{cases} histories in {len(batches)} batches, {min(jobs, len(batches))} at a time", file=sys.stderr)
    with closing(pool.results(batches, plan, jobs)) as results:
        for result in results:
            found.append(result)
            gone, done = time.monotonic() - begin, sum(one.batch.work for one in found)
            seen, left = sum(len(one.cases) for one in found), gone * (whole - done) / done / 60
            # What went wrong is told as soon as it is known.
            lines = [
                f"{gone:6.0f} s  {seen} of {cases} histories judged, about {left:.0f} min left",
                table.misses(result.ours),
            ]
            print("\n".join(line for line in lines if line), file=sys.stderr, flush=True)
    return found


def command(options: argparse.Namespace) -> str:
    """Return how the Makefile is told the same."""
    given = {
        "SEED": options.seed if options.seed != [1] else [],
        "CASE": options.case or [],
        "DETECTOR": options.detector or [],
        "QUICK": [1] if options.quick else [],
        "NAIVE": [] if options.naive else [0],
        "WRITE": [options.write] if options.write else [],
    }
    parts = [f"{name}={shlex.quote(' '.join(map(str, values)))}" for name, values in given.items() if values]
    return " ".join(["make gauntlet", *parts])


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="gauntlet", description=__doc__)
    found.add_argument(
        "--seed", type=int, nargs="+", default=[1], help="which cases: others for each seed (default: 1)"
    )
    found.add_argument(
        "--case",
        nargs="+",
        metavar="PART",
        help=f"only cases with this in their name ({len(QUIET) + len(FAULTS)} kinds)",
    )
    found.add_argument("--detector", nargs="+", metavar="PART", help="only alerts with this in their name")
    found.add_argument("--quick", action="store_true", help="one case of each kind")
    found.add_argument(
        "--no-naive", dest="naive", action="store_false", help="leave out the rules that people use otherwise"
    )
    found.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="batches at a time (default: a core each)")
    found.add_argument("--keep", metavar="DIRECTORY", help="keep the histories there, and take those that are there")
    found.add_argument("--write", metavar="FILE", help="write the page with the tables (docs/detectors.md)")
    return found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ExporterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
