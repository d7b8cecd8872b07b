"""What all series of one metric have in common: its names, its label names and its children."""

from __future__ import annotations

import re
import threading
from collections import deque
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.cells import FREE_THREADED, STORE
from runtime_exporter.metrics.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.cells import Cells, CellStore

_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

_HIDDEN: Final = 1
_WITHHELD: Final = 2

_BIRTH: Final = threading.local()

SUFFIXES: Final = {
    "counter": ("_total", "_created"),
    "summary": ("_sum", "_count", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "info": ("_info",),
}
"""Suffixes that samples of a type carry: OpenMetrics 1.0, section 4.3 and following."""


@contextmanager
def withheld_from_birth() -> Iterator[None]:
    """Withhold every family that this thread makes meanwhile, until somebody says that it has values.

    A process may share its cells before it makes the metrics of its collectors: others would see zeros, and one that is killed then
    would leave them for good where the least of all counts, as of the time at which a process started.
    """
    _BIRTH.withheld = True
    try:
        yield
    finally:
        _BIRTH.withheld = False


class Family:
    """Name, type, help, unit and label names of a metric, and its children by their label values."""

    __slots__ = (
        "__weakref__",
        "ahead",
        "cells",
        "children",
        "computed",
        "detail",
        "documentation",
        "exemplars",
        "exemplified",
        "kept",
        "labelnames",
        "lock",
        "mode",
        "name",
        "per_worker",
        "store",
        "type",
        "unit",
    )

    def __init__(
        self, kind: str, name: str, documentation: str, labelnames: Sequence[str], unit: str, store: CellStore = STORE
    ) -> None:
        self.type = kind
        self.name = name
        self.documentation = documentation
        self.labelnames = tuple(labelnames)
        self.unit = unit
        self.detail: tuple[str, ...] = ()
        """What else two versions of a family must agree on: a histogram's bounds, an Enum's states."""
        self.store = store
        self.cells = store.allocate_state()
        """Where `hidden` and `withheld` lie, as bits: other processes must know of them, too."""
        if getattr(_BIRTH, "withheld", False):
            self._state = _WITHHELD
        store.families[id(self)] = self
        self.mode = "sum"
        """How the values of several worker processes become one: a word of `gauge.MODES`."""
        self.per_worker = False
        """Whether each live worker's own values are exposed, too, as `worker_<name>` with the label `worker`."""
        self.children: dict[tuple[str, ...], Any] = {}
        self.ahead: deque[Cells] = deque()
        """Cells that are kept for children to come."""
        self.kept = Kept()
        """What the exposition keeps from scrape to scrape."""
        self.computed = False
        """Whether a child takes its value from a function."""
        self.exemplars: dict[tuple[str, ...], Exemplar] = {}
        """A counter's exemplars by the label values of their series; a histogram's are with its children."""
        self.exemplified = False
        """Whether a child has or had an exemplar."""
        # Only used where there is no GIL; see cells. Reentrant: a signal handler may count while its own thread does.
        self.lock = threading.RLock()

    def __del__(self) -> None:
        if hasattr(self, "cells"):
            segment, at = self.cells
            self.store.release(segment, at, 1)
            for kept in self.ahead:
                self.store.free(*kept)

    @property
    def hidden(self) -> bool:
        """Whether the whole family is left out of the exposition, because it has no value now."""
        return bool(self._state & _HIDDEN)

    @hidden.setter
    def hidden(self, hidden: bool) -> None:
        self._mark(_HIDDEN, hidden)

    @property
    def withheld(self) -> bool:
        """Whether other processes leave the whole family out, because whoever keeps it up to date cannot."""
        return bool(self._state & _WITHHELD)

    @withheld.setter
    def withheld(self, withheld: bool) -> None:
        self._mark(_WITHHELD, withheld)

    @property
    def _state(self) -> int:
        segment, at = self.cells
        return segment.ints[at]

    @_state.setter
    def _state(self, state: int) -> None:
        segment, at = self.cells
        segment.ints[at] = state

    def _mark(self, bit: int, on: bool) -> None:
        with self.lock if FREE_THREADED else nullcontext():
            self._state = self._state | bit if on else self._state & ~bit

    def forget_written(self) -> None:
        """Let go of children that are no longer in the family: the blocks of the last scrape hold them."""
        for labelvalues in [*self.exemplars]:
            if labelvalues not in self.children:
                self.exemplars.pop(labelvalues, None)
        self.kept.blocks = ()

    def sample_names(self) -> tuple[str, ...]:
        """Return every name that a sample of this family may have."""
        return sample_names(self.type, self.name)


def sample_names(kind: str, name: str) -> tuple[str, ...]:
    """Return the names that samples of a family of type `kind` called `name` may have, the family's own first."""
    return (name, *(name + suffix for suffix in SUFFIXES.get(kind, ())))


def full_name(kind: str, name: str, namespace: str, subsystem: str, unit: str) -> str:
    """Join the parts of a name as prometheus_client does, and without a counter's `_total`.

    Raises ValueError for a name that the classic data model does not allow: Prometheus 2 refuses the whole scrape
    for one name in UTF-8.
    """
    if not name:
        raise ValueError("Metric name should not be empty")
    joined = "_".join(part for part in (namespace, subsystem, name) if part)
    if kind == "counter":
        joined = joined.removesuffix("_total")
    if unit and not joined.endswith("_" + unit):
        joined += "_" + unit
    if unit and kind in ("info", "stateset"):
        raise ValueError("Metric name is of a type that cannot have a unit: " + joined)
    if not _METRIC_NAME.fullmatch(joined):
        raise ValueError("Invalid metric name: " + joined)
    return joined


def valid_labelnames(labelnames: Iterable[str], reserved: Iterable[str]) -> tuple[str, ...]:
    """Return `labelnames` as a tuple; raise ValueError for one that is invalid, reserved or repeated."""
    names = (labelnames,) if isinstance(labelnames, str) else tuple(labelnames)
    for name in names:
        if not _LABEL_NAME.fullmatch(name):
            raise ValueError("Invalid label name: " + name)
        if name.startswith("__") or name in reserved:
            raise ValueError("Reserved label name: " + name)
    if len(set(names)) != len(names):
        raise ValueError(f"Repeated label name in {names}")
    return names


def escape_value(value: str) -> str:
    """Escape a label value for both formats; what UTF-8 cannot carry (lone surrogates) becomes `?`."""
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def label_string(labelnames: Sequence[str], labelvalues: Sequence[str]) -> str:
    """Return `a="x",b="y"`: what stands between the braces of a sample."""
    return ",".join(f'{name}="{escape_value(value)}"' for name, value in zip(labelnames, labelvalues, strict=True))


def validate_exemplar(exemplar: dict[str, str]) -> None:
    """Raise ValueError unless `exemplar` has valid label names and at most 128 characters (OpenMetrics 1.0, 4.7)."""
    for name in exemplar:
        if not _LABEL_NAME.fullmatch(name):
            raise ValueError("Invalid exemplar label name: " + name)
        if name.startswith("__"):
            raise ValueError("Reserved exemplar label name: " + name)
    runes = sum(len(name) + len(value) for name, value in exemplar.items())
    if runes > 128:  # noqa: PLR2004 - the number of the specification
        raise ValueError(f"Exemplar labels have {runes} UTF-8 characters, exceeding the limit of 128")


def format_float(value: float) -> str:
    """Write a number as both formats want it."""
    text = repr(float(value))
    if text[-1] in "fn":  # inf, -inf, nan
        return {"inf": "+Inf", "-inf": "-Inf"}.get(text, "NaN")
    return text
