"""What Counter, Gauge, Histogram, Summary, Info and Enum share: labels and children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from prometheus_client import REGISTRY

from runtime_exporter.metrics.cells import STORE
from runtime_exporter.metrics.collected import Collected
from runtime_exporter.metrics.family import Family, full_name, label_string, valid_labelnames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry
    from typing_extensions import Self

    from runtime_exporter.metrics.cells import CellStore, Segment

_NO_CHILDREN: dict[tuple[str, ...], Any] = {}
"""Where a child and a metric without labels look for children: they have none, and `labels()` says so."""


class _MissingLabels:
    """Stands in the place of the cells of a metric that has labels: using it says what is missing."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def _refuse(self, *_: object) -> NoReturn:
        raise ValueError(f"{self._kind} metric is missing label values")

    __getitem__ = __setitem__ = _refuse
    obj = property(_refuse)


class Metric(Collected):
    """A metric without labels, or with them the parent of one child for each tuple of label values.

    A child is an object of the same class that shares the family and has cells of its own. Registering happens in
    the constructor because prometheus_client's constructors do it; `registry=None` leaves it out.
    """

    __slots__ = ("_at", "_family", "_floats", "_function", "_known", "_labels", "_segment")
    _type: ClassVar[str]
    _reserved: ClassVar[tuple[str, ...]] = ()
    _modes: ClassVar[frozenset[str]] = frozenset(("sum",))
    collects_itself: ClassVar[bool] = False
    """Whether a subclass of the application's collects in a way of its own: what it collects is written, not its cells."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = ("collect", "_samples", "_multi_samples", "_child_samples")
        cls.collects_itself = cls.collects_itself or not vars(cls).keys().isdisjoint(own)

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: CollectorRegistry | None = REGISTRY,
        *,
        multiprocess_mode: str = "sum",
        per_worker: bool = False,
        store: CellStore = STORE,
    ) -> None:
        if multiprocess_mode not in self._modes:
            raise ValueError("Invalid multiprocess mode: " + multiprocess_mode)
        names = valid_labelnames(labelnames, self._reserved)
        self._family = Family(
            self._type, full_name(self._type, name, namespace, subsystem, unit), documentation, names, unit, store
        )
        self._family.mode = multiprocess_mode
        self._family.per_worker = per_worker
        self._floats: Any = _MissingLabels(self._type)
        self._configure()
        if store.journal is not None:
            store.journal.define(self._family)
        if names:
            self._labels: tuple[str, ...] | None = None
            self._known: dict[tuple[str, ...], Any] = self._family.children
            self._segment: Segment | None = None
            self._at = 0
            self._function: Callable[[], float] | None = None
        else:
            self._become_child(())
            self._family.children[()] = self
        if registry:
            registry.register(self)

    # What a type says of itself.

    def _configure(self) -> None:
        """Prepare what the children share."""

    def _cells(self) -> int:
        """Return how many cells a child takes."""
        raise NotImplementedError

    def _reset(self) -> None:
        """Give a new child's cells their first values, where zero is not right."""

    def begin_anew(self) -> None:
        """Begin at the cells' first values: their memory is empty, because a fork or another file lies under them, or new."""
        self._floats = self._segment.floats if self._segment is not None else self._floats
        self._reset()

    def evaluate(self) -> None:
        """Write what a function says into the cell, where other processes read it. Raises what the function raises."""
        if self._function is not None:
            self._floats[self._at] = float(self._function())

    def _copy_configuration(self, child: Any) -> None:
        """Give a child what `_configure` prepared."""

    # Labels.

    def labels(self, *labelvalues: object, **labelkwargs: object) -> Self:
        """Return the child for these label values (all positional, or all by name), made on first use.

        Values are turned into text. Raises ValueError for a wrong number of values or wrong names.
        """
        try:
            child: Self = self._known[labelvalues]  # type: ignore[index]
        except (KeyError, TypeError):
            pass
        else:
            # The usual case, all text: one look-up. A member of `class State(str, Enum)` equals its value, and is written otherwise.
            for value in labelvalues:
                if value.__class__ is not str:
                    break
            else:
                if not labelkwargs:
                    return child
        return self._child(self._label_values(labelvalues, labelkwargs))

    def _label_values(self, labelvalues: tuple[object, ...], labelkwargs: dict[str, object]) -> tuple[str, ...]:
        names = self._family.labelnames
        if not names:
            raise ValueError(f"No label names were set when constructing {self}")
        if self._labels is not None:
            raise ValueError(f"{self} already has labels set ({self.label_string}); can not chain calls to .labels()")
        if labelvalues and labelkwargs:
            raise ValueError("Can't pass both *args and **kwargs")
        if labelkwargs:
            if labelkwargs.keys() != set(names):
                raise ValueError(f"Incorrect label names: {sorted(labelkwargs)}, expected {sorted(names)}")
            return tuple(str(labelkwargs[name]) for name in names)
        if len(labelvalues) != len(names):
            raise ValueError(f"Incorrect label count: {len(labelvalues)}, expected {len(names)} {names}")
        return tuple(map(str, labelvalues))

    def _child(self, labelvalues: tuple[str, ...]) -> Self:
        family = self._family
        child = family.children.get(labelvalues)
        if child is None:
            new: Self = object.__new__(type(self))
            new._family = family
            self._copy_configuration(new)
            if own := getattr(self, "__dict__", None):  # what the constructor of a subclass keeps
                new.__dict__.update(own)
            new._become_child(labelvalues)
            # Two threads may both come here: setdefault lets one of them win, the other's child dies unused.
            child = family.children.setdefault(labelvalues, new)
        return child  # type: ignore[no-any-return]

    def _become_child(self, labelvalues: tuple[str, ...]) -> None:
        # The same tuple as the key of `children`: the text of labels is made by who writes it, not kept for each.
        self._labels = labelvalues
        self._known = _NO_CHILDREN
        self._function = None
        count = self._cells()
        family = self._family
        store = family.store
        segment, self._at = store.allocate_beside(count, family.ahead, len(family.children))
        self._segment, self._floats = segment, segment.floats
        self._reset()
        if store.journal is not None:
            # Before anybody can count in it: what was counted is found, whatever happens to this process.
            store.journal.born(self, labelvalues)

    def __del__(self) -> None:
        # Not when the series is removed: somebody may still hold the child and count on it.
        segment = getattr(self, "_segment", None)
        if segment is not None:
            self._family.store.release(segment, self._at, self._cells())

    def __copy__(self) -> Self:
        # A second owner of the same cells would give them back while the first still counts in them.
        return self

    def remove(self, *labelvalues: object) -> None:
        """Remove the series with these label values, if it is there."""
        names = self._family.labelnames
        if not names:
            raise ValueError(f"No label names were set when constructing {self}")
        if len(labelvalues) != len(names):
            raise ValueError(f"Incorrect label count (expected {len(names)}, got {labelvalues})")
        self._remove(tuple(map(str, labelvalues)))
        self._family.forget_written()

    def remove_by_labels(self, labels: dict[str, str]) -> None:
        """Remove every series that has all of `labels`."""
        names = self._family.labelnames
        if not names:
            raise ValueError(f"No label names were set when constructing {self}")
        if not isinstance(labels, dict):
            raise TypeError("labels must be a dict of {label_name: label_value}")
        unknown = sorted(set(labels) - set(names))
        if unknown:
            raise ValueError(f"Unknown label names: {unknown}; expected {names}")
        wanted = [(names.index(name), str(value)) for name, value in labels.items()]
        if not wanted:
            return
        for values in [*self._family.children]:
            if all(values[at] == value for at, value in wanted):
                self._remove(values)
        self._family.forget_written()

    def clear(self) -> None:
        """Remove every series of a metric with labels."""
        if self._family.labelnames:
            for values in [*self._family.children]:
                self._remove(values)
            self._family.forget_written()

    def _remove(self, values: tuple[str, ...]) -> None:
        child = self._family.children.pop(values, None)
        if child is not None and self._family.store.journal is not None:
            self._family.store.journal.removed(child)

    @property
    def _ints(self) -> Any:
        """The cells as integers. Who counts in them has an attribute instead; for all others it would be memory."""
        return self._floats if self._segment is None else self._segment.ints

    # What the exposition and the collectors need to know.

    @property
    def family(self) -> Family:
        """What all series of this metric have in common."""
        return self._family

    @property
    def cells(self) -> tuple[Segment, int]:
        """Where the cells of a child lie: the segment, and the index of the first."""
        segment: Any = self._segment
        return segment, self._at

    @property
    def label_string(self) -> str:
        """The child's labels as the exposition writes them, without braces; empty without labels."""
        return label_string(self._family.labelnames, self._labels) if self._labels else ""

    @property
    def hidden(self) -> bool:
        """Whether the whole family is left out of the exposition, because it has no value now."""
        return self._family.hidden

    @hidden.setter
    def hidden(self, hidden: bool) -> None:
        self._family.hidden = hidden

    def __str__(self) -> str:
        return f"{self._type}:{self._family.name}"

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}({self._family.name})"
