"""`python -m benchmarks [--quick | --long] [NAME…]` measures, beside the peers, with the noise floor; `--page` only writes the page anew.

Every report runs in a process of its own and writes its figures into benchmarks/results/<report>.json (with --quick into
benchmarks/results/quick/, which no page is made of). At the end each goal is printed beside its figure, and docs/performance.md is
written from the files. `make bench` calls it. Exit code 1: a report failed. 130: interrupted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timezone
from pathlib import Path

from benchmarks import machine, page, progress, table
from benchmarks.figures import Figure, Goal, Item, Missing
from benchmarks.results import FULL, QUICK, Result, judge, read_all, write
from benchmarks.sections import REPORTS

INTERRUPTED = 130


def main() -> int:
    """Run what was asked for, and return the exit code."""
    options = _options()
    directory = Path(options.results or (QUICK if options.quick else FULL))
    failed: list[str] = []
    try:
        if options.alone:
            _measure(options.alone, directory, quick=options.quick)
            return 0
        if not options.page:
            failed = _all(options.names or _usual(options), directory, quick=options.quick)
    except KeyboardInterrupt:
        progress.clear()
        if options.alone:  # the process that started it says so
            return INTERRUPTED
        print("\ninterrupted: reports that were done have kept their figures", file=sys.stderr)
        return INTERRUPTED
    results = read_all(directory)
    left_out = [] if options.names or options.page else sorted({*REPORTS} - {*_usual(options)})
    if not options.page:
        _summary(
            [results[name] for name in REPORTS if name in results and (not options.names or name in options.names)]
        )
    if left_out:
        print(f"\nnot measured now, LONG=1 or NAME={left_out[0]} does: {', '.join(left_out)}")
    if directory == FULL:
        written = page.write(results)
        print(f"\nwritten: {written[0]} and {len(written) - 1} drawings in docs/images/")
    for name in failed:
        print(f"error: report {name} failed; its figures are those of an earlier run, or none", file=sys.stderr)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(REPORTS)} (all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller inputs; kept apart from full runs")
    parser.add_argument("--long", action="store_true", help="also what takes longest: half an hour and more")
    parser.add_argument("--page", action="store_true", help="measure nothing, write docs/performance.md from the files")
    parser.add_argument("--results", metavar="DIR", help=f"where the files are ({FULL}; {QUICK} with --quick)")
    parser.add_argument("--alone", metavar="NAME", choices=REPORTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.names) - set(REPORTS)
    if unknown:
        parser.error(f"no such report: {', '.join(sorted(unknown))}; there are {', '.join(REPORTS)}")
    return options


def _usual(options: argparse.Namespace) -> list[str]:
    """Return what runs where nothing is named: everything, but in full what takes longest only where that is asked for."""
    return [name for name, section in REPORTS.items() if options.quick or options.long or not section.long]


def _all(names: list[str], directory: Path, *, quick: bool) -> list[str]:
    """Run each report in a process of its own, so that none is measured in what another left behind. Return those that failed."""
    print(textwrap.fill(", ".join(machine.facts().values()), table.WIDTH))
    print(
        "CPU time where it says nothing else; medians with quartiles; ratios are ours over the peer's, round by round;"
    )
    print("A/A is the same thing against itself: the noise.", flush=True)
    failed = []
    for number, name in enumerate(names):
        print(f"\n{REPORTS[name].title} ({name})", flush=True)
        command = [
            sys.executable,
            "-m",
            "benchmarks",
            "--alone",
            name,
            "--results",
            str(directory),
            *["--quick"] * quick,
        ]
        where = {"BENCHMARK_PLACE": f"{number + 1} of {len(names)}, {name}"}
        if subprocess.run(command, check=False, env={**os.environ, **where}).returncode:
            failed.append(name)
    return failed


def _measure(name: str, directory: Path, *, quick: bool) -> None:
    """Run one report here: print what it finds as it finds it, and write it when it is done."""
    progress.begin(os.environ.get("BENCHMARK_PLACE", name))
    load, began = machine.load(), time.monotonic()
    items: list[Item] = []
    for item in REPORTS[name].run(quick=quick):
        items.append(item)
        progress.clear()
        print(
            textwrap.fill(_told(item, items), table.WIDTH, initial_indent="  ", subsequent_indent="      "), flush=True
        )
    progress.clear()
    date = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%MZ")
    took = round(time.monotonic() - began, 1)
    write(Result(name, date, quick, took, load, machine.facts(), machine.versions(), tuple(items)), directory)


def _told(item: Item, items: list[Item]) -> str:
    if isinstance(item, Figure):
        return table.line_of(item)
    if isinstance(item, Goal):
        judged = judge(item, tuple(one for one in items if isinstance(one, Figure)))
        return f"-> {item.text}: {judged.verdict}"
    if isinstance(item, Missing):
        return f"not here: {item.name}; {item.remedy}"
    return item if isinstance(item, str) else f"{item.name}: {len(item.points)} points along {item.along}"


def _summary(results: list[Result]) -> None:
    """Print every goal beside its figure, then what was not there to compare with."""
    sections = [(REPORTS[result.report].title, result.judged) for result in results]
    if any(judged for _, judged in sections):
        print()
        for line in table.goals(sections):
            print(line)
    missing = sorted({f"{one.name} ({one.remedy})" for result in results for one in result.missing})
    if missing:
        print(f"\nnot here to compare with: {', '.join(missing)}")


if __name__ == "__main__":
    sys.exit(main())
