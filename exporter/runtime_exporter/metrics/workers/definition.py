"""What a family is, apart from its series: as it is written down, and as two versions of a program are compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from runtime_exporter.metrics.family import Family

COUNTING: Final = frozenset(("counter", "histogram", "summary"))
"""Types whose numbers stay when their process ends, and when a worker removes a series that others still have."""

KINDS: Final = COUNTING | {"gauge", "info", "stateset"}


@dataclass(frozen=True)
class Definition:
    """Name, type and labels of a family, and how the values of several workers become one."""

    type: str
    name: str
    documentation: str
    labelnames: tuple[str, ...]
    unit: str
    detail: tuple[str, ...]
    """Bounds of a histogram's buckets as text; states of an Enum."""
    mode: str
    per_worker: bool

    @classmethod
    def of(cls, family: Family) -> Definition:
        """Return the definition of a family of this process."""
        return cls(
            *(family.type, family.name, family.documentation, family.labelnames),
            *(family.unit, family.detail, family.mode, family.per_worker),
        )

    @classmethod
    def read(cls, written: Any) -> Definition:
        """Return what `written` gave. Raises TypeError, KeyError or ValueError for anything else."""
        values: dict[str, Any] = {key: str(written[key]) for key in ("type", "name", "documentation", "unit", "mode")}
        values |= {key: tuple(map(str, written[key])) for key in ("labelnames", "detail")}
        found = cls(**values, per_worker=bool(written["per_worker"]))
        if found.type not in KINDS:
            raise ValueError(f"no type of metrics: {found.type}")
        if found.type == "histogram":
            [*map(float, found.detail)]
        return found

    def written(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @property
    def shape(self) -> tuple[str, tuple[str, ...], tuple[str, ...], str]:
        """What must be alike in two versions, so that their numbers may be put together."""
        return self.type, self.labelnames, self.detail, self.mode

    @property
    def counts(self) -> int:
        """How many cells at the beginning of a series count observations."""
        return {"histogram": len(self.detail), "summary": 1}.get(self.type, 0)

    @property
    def codes(self) -> str:
        """The cells of a series: `q` an integer, `d` a float."""
        if self.counts:
            return "q" * self.counts + "ddd"
        if self.type == "counter":
            return "dd"
        if self.type == "gauge":
            return "dd" if self.mode.endswith("mostrecent") else "d"
        return "q"
