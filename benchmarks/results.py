"""A report's results as a file: benchmarks/results/<report>.json, one a report, so that each can be run again alone."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.figures import Curve, Figure, Goal, Item, Missing, Noise, Spread, Verdict

FULL = Path(__file__).with_name("results")
QUICK = FULL / "quick"
"""Quick ones are not committed, and never stand where those of a full run do."""

_KINDS: dict[str, type[Figure | Goal | Curve | Missing]] = {
    "figure": Figure,
    "goal": Goal,
    "curve": Curve,
    "missing": Missing,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True)
class Result:
    """What one run of a report found, and where."""

    report: str
    date: str
    """ISO 8601, UTC, to the minute."""
    quick: bool
    seconds: float
    """How long it took."""
    load: float
    """How many processes wanted a core in the minute before."""
    machine: dict[str, str]
    versions: dict[str, str]
    items: tuple[Item, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures, as they came."""
        return tuple(item for item in self.items if isinstance(item, Figure))

    @property
    def judged(self) -> tuple[Judged, ...]:
        """Each goal with its figure."""
        return tuple(judge(item, self.figures) for item in self.items if isinstance(item, Goal))

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What was not there."""
        return tuple(item for item in self.items if isinstance(item, Missing))


@dataclass(frozen=True)
class Judged:
    """A goal beside its figure."""

    goal: Goal
    figure: Figure
    verdict: Verdict

    @property
    def spread(self) -> Spread:
        """That of the figure of which the goal is."""
        ratio = self.figure.ratio if self.goal.of == "ratio" else None
        return ratio or self.figure.ours


def judge(goal: Goal, figures: tuple[Figure, ...]) -> Judged:
    """Return the goal with its figure. Raises ValueError where there is none, or more than one."""
    found = [figure for figure in figures if goal.concerns(figure)]
    if len(found) != 1:
        about = ", ".join(str(part) for part in (goal.figure, goal.peer, goal.at) if part not in {"", None})
        raise ValueError(f"goal {goal.text!r} is about {about}: {len(found)} figures are")
    return Judged(goal, found[0], goal.verdict(found[0]))


def write(result: Result, directory: Path) -> Path:
    """Write the result into its file, whole or not at all, and return where."""
    path = directory / f"{result.report}.json"
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(dumps(result))
    os.replace(part, path)  # noqa: PTH105 - as everywhere in the project
    return path


def read(path: Path) -> Result:
    """Read a result. Raises ValueError that names the file where it is not one."""
    try:
        return loads(path.read_text())
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a result of a benchmark ({error}); run that report again") from None


def read_all(directory: Path) -> dict[str, Result]:
    """Read every result there is, by report."""
    return {path.stem: read(path) for path in sorted(directory.glob("*.json"))}


def dumps(result: Result) -> str:
    """Return a result as JSON, an item a line, numbers to six digits: what a person can read and a diff can show."""
    document = {field.name: getattr(result, field.name) for field in fields(result) if field.name != "items"}
    verdicts = {judged.goal: judged.verdict for judged in result.judged}
    lines = [json.dumps(_plain(item, verdicts), ensure_ascii=False) for item in result.items]
    head = json.dumps(_rounded(document), ensure_ascii=False, indent=1).removesuffix("\n}")
    return f'{head},\n "items": [{",".join(f"{chr(10)}  {line}" for line in lines)}\n ]\n}}\n'


def loads(text: str) -> Result:
    """Return the result that `dumps` wrote."""
    document = json.loads(text)
    return Result(**{**document, "items": tuple(_item(item) for item in document["items"])})


def _plain(item: Item, verdicts: dict[Goal, Verdict]) -> object:
    """Return an item as JSON has it: what is as it is by default is left out, a goal has its verdict."""
    if isinstance(item, str):
        return item
    set_ = {
        field.name: getattr(item, field.name) for field in fields(item) if getattr(item, field.name) != field.default
    }
    told = {name: asdict(value) if isinstance(value, (Spread, Noise)) else value for name, value in set_.items()}
    verdict = {"verdict": verdicts[item]} if isinstance(item, Goal) else {}
    return {"kind": _NAMES[type(item)], **_rounded(told), **verdict}


def _item(plain: Any) -> Item:
    if isinstance(plain, str):
        return plain
    kind = _KINDS[plain["kind"]]
    values = {name: value for name, value in plain.items() if name not in {"kind", "verdict"}}
    return kind(**{name: _value(name, value) for name, value in values.items()})


def _value(name: str, value: Any) -> Any:
    if name in {"ours", "theirs", "ratio"}:
        return Spread(**value)
    if name == "noise":
        return Noise(**value)
    return tuple((along, height) for along, height in value) if name == "points" else value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, (list, tuple)) else value
