"""docs/performance.md and its drawings, made of nothing but benchmarks/results/ and the words in sections.py."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import headlines, overview, plots, promises, table
from benchmarks.figures import Curve
from benchmarks.sections import REPORTS, SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.figures import Figure
    from benchmarks.promises import Told
    from benchmarks.results import Judged, Result
    from benchmarks.sections import Section

ROOT = Path(__file__).parents[1]
PAGE = Path("docs") / "performance.md"
_IMAGES = Path("docs") / "images"
_MOST_OPEN = 12
"""A table of more rows than these is closed until somebody wants it."""
_INTRODUCTION = """\
# Performance

What this exporter costs the program that it is in, beside what others cost it. All of it is CPU time and memory on one machine; what stands in one row was measured in the same minutes.
"""
_MADE = """\
`make bench` writes this page, its tables and its drawings from the files in [benchmarks/results/](../benchmarks/results); no figure in it was typed. `make bench
NAME=requests` measures one report anew, `make bench LONG=1` also what takes longest, `make bench QUICK=1` takes a first look and changes nothing here.
"""
_READING = """\
## How to read it

- Figures are CPU time where they say nothing else, medians of rounds. In each round every candidate runs once, in random order; quartiles stand in brackets.
- A ratio is ours over the peer's, taken within each round, so that a machine that slows down changes none: 1/40 is forty times less.
- A/A is the same thing against itself in the same rounds: the noise, as quartiles. It stands beside each figure that a clock took.
- A goal **HOLDS** or **DOES NOT HOLD**. It is **NOT RESOLVED** where the quartiles lie on both sides of what was promised, or A/A reaches over it: this machine, on
  that day, could not tell. A promise of several goals has the verdict of its worst.
- *Over the bare application* is what a middleware adds: the time with it less the time without, turn by turn.
"""


def documents(results: Mapping[str, Result]) -> dict[Path, str]:
    """Return every file that is made of these results: its path below the root of the project, and its text."""
    known = [(section, results[section.report]) for section in SECTIONS if section.report in results]
    images = {name: text for section, result in known for name, text in _drawings(section, result).items()}
    parts = promises.gather(results)
    drawn = overview.draw(parts)
    if drawn:
        images["goals"] = drawn
    text = "\n".join([*_summary(results, [one for _, told in parts for one in told]), *_details(known, images)])
    return {PAGE: text} | {_IMAGES / f"performance-{name}.svg": image for name, image in images.items()}


def write(results: Mapping[str, Result], root: Path = ROOT) -> list[Path]:
    """Write the page and its drawings, take away drawings that no result gives any more, and return what was written."""
    files = documents(results)
    (root / _IMAGES).mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (root / path).write_text(text)
    for stale in (root / _IMAGES).glob("performance-*.svg"):
        if stale.relative_to(root) not in files:
            stale.unlink()
    return [*files]


def _drawings(section: Section, result: Result) -> dict[str, str]:
    curves = [item for item in result.items if isinstance(item, Curve)]
    drawn = {
        plot.image: plot.draw(curves) if isinstance(plot, plots.Curves) else plot.draw(result.figures)
        for plot in section.plots
    }
    return {image: text for image, text in drawn.items() if text}


def _summary(results: Mapping[str, Result], told: Sequence[Told]) -> Iterator[str]:
    """Yield what a stranger reads: a few figures, how many promises are kept, which are not, and the drawing of all of them."""
    yield _INTRODUCTION
    rows = [*headlines.rows(results)]
    if rows:
        yield from _table(("what", "runtime_exporter costs", "others cost", "ours over theirs"), rows)
    if told:
        yield f"{_count(told)}\n"
        yield f"{_image('goals', 'What was promised, and what was measured')}\n"
    yield from _closed_list("What does not hold", [one for one in told if one.verdict == "DOES NOT HOLD"])
    yield from _closed_list("What could not be resolved", [one for one in told if one.verdict == "NOT RESOLVED"])
    yield _MADE


def _count(told: Sequence[Told]) -> str:
    verdicts = Counter(one.verdict for one in told)
    goals = sum(len(one.judged) for one in told)
    return (
        f"Of {len(told)} promises {verdicts['HOLDS']} hold, {verdicts['DOES NOT HOLD']} do not, and {verdicts['NOT RESOLVED']} could not be resolved;"
        f" they have {goals} goals, of which {sum(one.held for one in told)} hold."
    )


def _closed_list(title: str, told: Sequence[Told]) -> Iterator[str]:
    """Yield the worst goal of each promise, in its own words."""
    if told:
        yield f"{title}, the worst goal of each:\n"
        yield from (f"- {one.worst.goal.text}: {table.measured(one.worst)}" for one in told)
        yield ""


def _details(known: Sequence[tuple[Section, Result]], images: Mapping[str, str]) -> Iterator[str]:
    yield _READING
    for section, result in known:
        yield from _section(section, result, images)
    yield from _machines([result for _, result in known])


def _section(section: Section, result: Result, images: Mapping[str, str]) -> Iterator[str]:
    yield f"## {section.title}\n"
    if result.quick:
        yield "**From a quick run: a first look, no result.**\n"
    if section.text:
        yield f"{section.text}\n"
    yield from (f"{_image(plot.image, plot.title)}\n" for plot in section.plots if plot.image in images)
    if result.judged:
        yield from _table(("goal", "measured", "A/A", "n", "verdict"), map(_goal, result.judged))
    if result.figures:
        yield from _closed("Figures", len(result.figures), [*_table(_HEAD, map(_figure, result.figures))])
    notes = [item for item in result.items if isinstance(item, str)]
    yield from (f"- {note}" for note in notes)
    yield from [""] * bool(notes)
    yield from (f"Not here to compare with: {one.name}.\n" for one in result.missing)
    yield (
        f"*`make bench NAME={result.report}`, {result.date.replace('T', ' ').replace('Z', ' UTC')}, in {_duration(result.seconds)};"
        f" {result.load:.1f} processes wanted one of the cores when it began.*\n"
    )


_HEAD = ("figure", "ours", "peer", "its", "ratio", "A/A", "n")


def _goal(one: Judged) -> tuple[str, ...]:
    noise = table.noise(one.figure.noise, one.figure.unit) if one.figure.noise else ""
    verdict = one.verdict if one.verdict == "HOLDS" else f"**{one.verdict}**"
    return one.goal.text, table.measured(one), noise, f"{one.figure.count:,}", verdict


def _figure(one: Figure) -> tuple[str, ...]:
    unit = one.unit
    return (
        one.name + table.place_of(one),
        table.amount(one.ours.middle, unit) + table.quartiles(one.ours, unit),
        one.peer,
        table.amount(one.theirs.middle, unit) if one.theirs else "",
        table.times(one.ratio.middle) + table.quartiles(one.ratio) if one.ratio else "",
        table.noise(one.noise, unit) if one.noise else "",
        f"{one.count:,}",
    )


def _machines(results: Sequence[Result]) -> Iterator[str]:
    """Yield where the figures were taken: once where that is the same for all, else by report."""
    yield "## Machine and versions\n"
    kinds: dict[tuple[tuple[str, str], ...], list[Result]] = {}
    for result in results:
        facts = {name: fact for name, fact in result.machine.items() if name != "commit"}
        kinds.setdefault(tuple(facts.items()), []).append(result)
    for kind, those in kinds.items():
        if len(kinds) > 1:
            yield f"{', '.join(REPORTS[one.report].title for one in those)}:\n"
        yield from _table(("what", "which"), kind)
    versions = {name: version for result in results for name, version in result.versions.items()}
    yield from _table(("package", "version"), sorted(versions.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _closed(title: str, rows: int, lines: Sequence[str]) -> Iterator[str]:
    if rows <= _MOST_OPEN:
        yield from lines
        return
    yield f"<details><summary>{title}: {rows}</summary>\n"
    yield from lines
    yield "</details>\n"


def _image(name: str, title: str) -> str:
    return f"![{title}](images/performance-{name}.svg)"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
