"""What was made of the profiles of all workers together, in a file that whoever is asked can read: comparisons and advice.

One of the workers makes it (see `joint`), and says when it means to make the next: where nothing comes, another one does.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.profiling.advice.values import Recommendation
from runtime_exporter.profiling.comparison import Comparison, Finding
from runtime_exporter.profiling.persistence import History
from runtime_exporter.profiling.watch import Judgement
from runtime_exporter.profiling.wholefiles import make_directory, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FILE: Final = "together.json"
_WORKERS: Final = "workers"
_FORM: Final = 1
"""Changes with what is in the file: another version's is as if there were none."""
_MOST_BYTES: Final = 4 << 20
"""Some thousand recommendations, far more than there are rules: what is larger is no file of ours."""


@dataclass(frozen=True)
class Verdict:
    """What all workers did, compared with their past, and what follows. Times are Unix seconds."""

    by: int
    """The worker that made it."""
    until: float
    """The end of the last interval that it is of."""
    due: float
    """When the next one is to be expected."""
    comparisons: Mapping[str, Judgement] = field(default_factory=dict)
    """By kind of profile. They come without the changes of single functions and without votes, which are its maker's."""
    recommendations: Sequence[Mapping[str, Any]] = ()
    """Those on profiles: the fields of a `Recommendation`, and `workers`, in which their target was seen."""

    @cached_property
    def advice(self) -> tuple[Recommendation, ...]:
        """The same, without the workers."""
        return tuple(
            Recommendation(**{name: value for name, value in row.items() if name != _WORKERS})
            for row in self.recommendations
        )


class Verdicts:
    """The last verdict in a directory. For any number of threads and processes; the directory need not be there to read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: another thread may have held the lock."""
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, ...], Verdict | None] = ((), None)

    def read(self) -> Verdict | None:
        """Return the last one; None where there is none, or none that this version understands."""
        path = self._directory / _FILE
        with self._lock:
            try:
                found = path.stat()
                version = (found.st_ino, found.st_mtime_ns, found.st_size)
                if version != self._known[0]:
                    readable = found.st_size <= _MOST_BYTES
                    self._known = version, _decoded(path.read_bytes()) if readable else None
            except OSError:
                self._known = (), None
            return self._known[1]

    def write(self, verdict: Verdict) -> None:
        """Put one in the place of the last. Raises OSError."""
        make_directory(self._directory, parents=False)
        write_whole(self._directory, _FILE, _encoded(verdict), lasting=False)


def _encoded(verdict: Verdict) -> bytes:
    comparisons = [
        {
            "kind": kind,
            "baseline": one.comparison.baseline,
            "baseline_age": one.baseline_age,
            "mde_ratio": one.comparison.mde_ratio,
            "divergence": one.comparison.divergence,
            "findings": [asdict(finding) for finding in one.comparison.findings],
        }
        for kind, one in verdict.comparisons.items()
    ]
    said = {"by": verdict.by, "until": verdict.until, "due": verdict.due}
    return json.dumps(
        {"form": _FORM, **said, "comparisons": comparisons, "recommendations": list(verdict.recommendations)}
    ).encode()


def _decoded(data: bytes) -> Verdict | None:
    try:
        read = json.loads(data)
        if read["form"] != _FORM:
            return None
        verdict = Verdict(
            by=int(read["by"]),
            until=float(read["until"]),
            due=float(read["due"]),
            comparisons={one["kind"]: _judgement(one) for one in read["comparisons"]},
            recommendations=tuple({**one, _WORKERS: list(one[_WORKERS])} for one in read["recommendations"]),
        )
        _ = verdict.advice  # where it cannot be made it is another version's
    except (ValueError, TypeError, KeyError):
        return None
    else:
        return verdict


def _judgement(one: Mapping[str, Any]) -> Judgement:
    findings = tuple(Finding(**{**row, "explains": tuple(row["explains"])}) for row in one["findings"])
    comparison = Comparison(
        one["kind"], one["baseline"], findings, one["mde_ratio"], one["divergence"], changes={}, history=History()
    )
    return Judgement(comparison, one["baseline_age"])
