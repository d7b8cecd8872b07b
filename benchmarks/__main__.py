"""`python -m benchmarks [--quick | --long] [NAME…]` measures, beside the peers, with the noise floor; `--page` only writes the page anew.

Every report runs in a process of its own and writes its figures into benchmarks/results/<report>.json (with --quick into
benchmarks/results/quick/, which no page is made of). At the end each goal is printed beside its figure, and docs/performance.md is
written from the files. `make bench` calls it. Exit code 1: a report failed. 130: interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from benchmarks import machine, page, progress, table
from benchmarks.figures import Figure, Goal, Item, Missing
from benchmarks.results import FULL, QUICK, Result, judge, read, read_all, write
from benchmarks.sections import REPORTS

INTERRUPTED = 130
_PATIENCE_SECONDS = 10.0
"""In which a report that is interrupted takes away what it made."""


class Ran(NamedTuple):
    """Which reports were run to their end, which of them failed, and whether somebody interrupted the others."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    interrupted: bool = False


def main() -> int:
    """Run what was asked for, and return the exit code."""
    options = _options()
    directory = Path(options.results or (QUICK if options.quick else FULL))
    if options.alone:
        return _measure(options.alone, directory, quick=options.quick)
    ran = Ran() if options.page else _all(options.names or _usual(options), directory, quick=options.quick)
    results = read_all(directory)
    _summary([results[name] for name in ran.done if name in results])
    if not (options.names or options.page or ran.interrupted):
        _left_out(sorted({*REPORTS} - {*_usual(options)}))
    if directory == FULL:
        written = page.write(results)
        print(f"\nwritten: {written[0]} and {len(written) - 1} drawings in docs/images/")
    for name in ran.failed:
        print(f"error: report {name} failed; its figures are those of an earlier run, or none", file=sys.stderr)
    if ran.interrupted:
        print("\ninterrupted: reports that were done have kept their figures", file=sys.stderr)
        return INTERRUPTED
    return 1 if ran.failed else 0


def _left_out(names: list[str]) -> None:
    if names:
        print(f"\nnot measured now, LONG=1 or NAME={names[0]} does: {', '.join(names)}")


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


def _all(names: list[str], directory: Path, *, quick: bool) -> Ran:
    """Run each report in a process of its own, so that none is measured in what another left behind."""
    print(textwrap.fill(", ".join(machine.facts().values()), table.WIDTH))
    print(
        "CPU time where it says nothing else; medians with quartiles; ratios are ours over the peer's, round by round;"
    )
    print("A/A is the same thing against itself: the noise.", flush=True)
    expected = _expected(names, directory)
    failed: list[str] = []
    took: dict[str, float] = {}
    for name in names:
        print(f"\n{REPORTS[name].title} ({name})", flush=True)
        place, began = progress.place_of(names, expected, took), time.monotonic()
        try:
            code = _alone(name, directory, place, quick=quick)
        except KeyboardInterrupt:
            return Ran((*took,), tuple(failed), interrupted=True)
        took[name] = time.monotonic() - began
        if code:
            failed.append(name)
    return Ran((*took,), tuple(failed))


def _expected(names: list[str], directory: Path) -> dict[str, float]:
    """Return how many seconds each report took when it ran last; the mean of the others where it never did."""
    known: dict[str, float] = {}
    for name in names:
        with suppress(OSError, ValueError):
            known[name] = read(directory / f"{name}.json").seconds
    usual = sum(known.values()) / len(known) if known else 0.0
    return {name: known.get(name, usual) for name in names}


def _alone(name: str, directory: Path, place: progress.Place, *, quick: bool) -> int:
    """Run one report in a process of its own, and return its exit code. Ctrl-C is for this process alone, which ends that one.

    What a report has started would tell of Ctrl-C, each with a traceback; and what it does not end itself is ended here.
    """
    command = [sys.executable, "-m", "benchmarks", "--alone", name, "--results", str(directory), *["--quick"] * quick]
    environment = {**os.environ, **place.environment()}
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_SECONDS)
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _measure(name: str, directory: Path, *, quick: bool) -> int:
    """Run one report here: print what it finds as it finds it, write it when it is done, and return the exit code."""
    progress.begin(progress.Place.of_environment(name))
    load, began = machine.load(), time.monotonic()
    items: list[Item] = []
    try:
        for item in REPORTS[name].run(quick=quick):
            items.append(item)
            progress.clear()
            told = textwrap.fill(_told(item, items), table.WIDTH, initial_indent="  ", subsequent_indent="      ")
            print(told, flush=True)
    except KeyboardInterrupt:  # the process that started this one says so
        return INTERRUPTED
    finally:
        progress.clear()
    date = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%MZ")
    took = round(time.monotonic() - began, 1)
    write(Result(name, date, quick, took, load, machine.facts(), machine.versions(), tuple(items)), directory)
    return 0


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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended then, too
    sys.exit(main())
