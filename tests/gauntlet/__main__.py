"""`python -m gauntlet`: which faults each alert catches, how soon, and what it says for nothing."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from gauntlet import run, score, table
from gauntlet.faults import FAULTS
from gauntlet.quiet import QUIET
from runtime_exporter.errors import ExporterError

QUIET_GOAL = 80
CAUGHT_GOAL = 0.95


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    known, detectors = run.catalogue(), run.detectors()
    names = [name for name in known if not options.case or any(part in name for part in options.case)]
    if options.quick:
        names = [name for name in names if name.endswith("/0")]
    chosen = {name for name in detectors if not options.detector or any(part in name for part in options.detector)}
    if not names or not chosen:
        print(
            f"no case or no detector matches; cases: {', '.join(known)}; detectors: {', '.join(detectors)}",
            file=sys.stderr,
        )
        return 2
    begin = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begin:6.0f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="gauntlet-") as temporary:
        directory = Path(options.keep or temporary)
        results = [result for seed in options.seed for result in _run(seed, names, chosen, directory, say)]
    cases = [case for found, _ in results for case in found]
    beside = {name: detector for name, detector in run.naive().items() if detector in chosen}
    ours, naive = {}, {}
    for found, firings in results:
        table.add(ours, score.judge(found, firings, chosen))
        table.add(naive, score.judge_naive(found, firings, beside))
    print(table.text(ours, naive, beside))
    print(table.misses(ours))
    whole = not options.case and not options.detector and not options.quick
    unreached = score.goals(cases, ours.values(), quiet=QUIET_GOAL if whole else 0, share=CAUGHT_GOAL)
    if options.write:
        Path(options.write).write_text(
            table.page(
                options.seed, cases, ours, naive, beside, unreached, quick=options.quick, chosen=options.detector or ()
            ),
            encoding="utf-8",
        )
    print("\n".join(f"not reached: {line}" for line in unreached) or "all goals are reached")
    return 1 if unreached else 0


def _run(seed, names, chosen, directory, say):
    for world in run.worlds(seed, names):
        say(f"seed {seed}, {world.name}: {len(world.cases)} cases")
        data = run.prepare(world, seed, directory, say)
        yield list(world.cases), run.firings(world, data, chosen, say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gauntlet", description=__doc__)
    parser.add_argument(
        "--seed", type=int, nargs="+", default=[1], help="which cases: others for each seed (default: 1)"
    )
    parser.add_argument(
        "--case",
        nargs="+",
        metavar="PART",
        help=f"only cases with this in their name ({len(QUIET) + len(FAULTS)} kinds)",
    )
    parser.add_argument("--detector", nargs="+", metavar="PART", help="only alerts with this in their name")
    parser.add_argument("--quick", action="store_true", help="one case of each kind")
    parser.add_argument("--keep", metavar="DIRECTORY", help="keep the histories there, and take those that are there")
    parser.add_argument("--write", metavar="FILE", help="write the page with the tables (docs/detectors.md)")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ExporterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
