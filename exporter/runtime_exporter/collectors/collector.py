"""What a collector is: a few metric families and the function that gives them their present values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime_exporter.metrics import Counter, Gauge, Metric


class Collector:
    """One subject of measurement. Subclass it: all but `name`, `interval`, `families` and `update` has a harmless default.

    The constructor has no effect on the process. `update` may raise: `NoData` when this machine has nothing to report,
    anything else when it broke; either way the supervisor leaves the families of this collector out of the scrape.
    """

    name: str
    """Its name in the registry, its file, and its value of the label `collector`."""

    interval: float | None
    """Seconds between updates in the background; None: updated by the scrape, hence to cost less than a millisecond."""

    families: Sequence[Metric]
    """What it exposes, made without a registry."""

    def update(self) -> None:
        """Give the families their present values. Never called twice at the same time."""
        raise NotImplementedError

    def start(self) -> None:
        """Install what has to be in place between updates (hooks, callbacks). A second call does nothing."""

    def close(self) -> None:
        """Take back what `start` installed, close files. A second call does nothing."""

    def forked(self) -> None:
        """Forget what was true of the parent process only. Called in the child, which has one thread."""

    def folded(self) -> Mapping[str, int]:
        """Return, by family, how many values of a label were folded into `other`."""
        return {}


def put(gauge: Gauge, value: float | None) -> None:
    """Set a gauge without labels, or hide it where there is no value."""
    gauge.hidden = value is None
    if value is not None:
        gauge.set(value)


def put_total(counter: Counter, value: float | None) -> None:
    """Set a counter without labels to a total that somebody else keeps, or hide it where there is no value."""
    counter.hidden = value is None
    if value is not None:
        counter.set_total(value)


def put_series(metric: Any, values: Mapping[Any, float]) -> None:
    """Give a gauge, or a counter whose totals somebody else keeps, just these series, by the values of their labels."""
    for labels in tuple(metric.family.children):
        if labels not in values:
            metric.remove(*labels)
    for labels, value in values.items():
        child = metric.labels(*labels)
        (child.set_total if metric.family.type == "counter" else child.set)(value)
