"""What instruments the application (`_config.source`): what each source calls the metrics that rules and dashboards read.

The tables are the mixin's own, rules/sources.libsonnet and rules/catalogue.libsonnet.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import bundle, contract, jsonnet
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NATIVE = "native"
"""The source that is runtime_exporter itself."""

# le="250.0" of milliseconds is le="0.25" in seconds, as rules/lib/milliseconds.libsonnet does it and says why.
_SHIFTS = (
    ("([0-9])", "0.00$1$2"),
    ("([0-9]{2})", "0.0$1$2"),
    ("([0-9]{3})", "0.$1$2"),
    ("([0-9]+)([0-9]{3})", "$1.$2$3"),
)
_FRACTION = "(?:[.]([0-9]+))?"


@dataclass(frozen=True)
class Source:
    """One instrumentation: its names for ours."""

    word: str
    """What stands in the configuration."""
    title: str
    names: Mapping[str, str] = field(repr=False)
    """runtime_exporter's name of a metric -> this source's; what it lacks is not there."""
    labels: Mapping[str, str]
    """OpenTelemetry's label of a request -> this source's."""
    requests: str
    """The counter of requests, by route, method and status."""
    durations: str
    """The histogram of their durations."""
    alone: frozenset[str] = frozenset()
    """Metrics that runtime_exporter has nothing like, such as those of Go's heap."""
    milliseconds: bool = False
    """Whether that histogram counts in milliseconds."""

    def has(self, metric: str) -> bool:
        """Return whether this source, Prometheus or a rule gives the series called `metric`."""
        if self.word == NATIVE or ":" in metric or metric in contract.OF_PROMETHEUS:
            return True
        return metric in self._own or metric.startswith("profile_")

    @functools.cached_property
    def _own(self) -> frozenset[str]:
        suffixes = ("_bucket", "_count", "_sum")
        return frozenset(
            {*self.names.values(), *self.alone, self.requests, *(self.durations + each for each in suffixes)}
        )

    def name(self, metric: str) -> str:
        """Return what this source calls a metric of runtime_exporter; the same where it has no such metric."""
        return self.names.get(metric, metric)

    def matcher(self, matchers: str) -> str:
        """Return label matchers that speak of OpenTelemetry's labels with this source's."""
        for label, own in self.labels.items():
            matchers = re.sub(rf"\b{label}\b", own, matchers)
        return matchers

    def labelled(self, expression: str) -> str:
        """Return `expression` with this source's labels of requests under OpenTelemetry's names, too."""
        for label, own in self.labels.items():
            if own != label:
                expression = f'label_replace({expression}, "{label}", "$1", "{own}", "(.*)")'
        return expression

    def bounds(self, expression: str) -> str:
        """Return the rates of buckets with bounds in seconds."""
        if not self.milliseconds:
            return expression
        for digits, seconds in _SHIFTS:
            expression = f'label_replace({expression}, "seconds", "{seconds}", "le", "{digits}{_FRACTION}")'
        return f'label_replace({expression}, "le", "$1$2", "seconds", "([0-9]+[.][0-9]*[1-9])0*|([0-9]+[.]0)0*")'


def of(config: Mapping[str, Any]) -> Source:
    """Return the source that a configuration names. Raises ConfigError with the words that there are."""
    word = config.get("source", NATIVE)
    known = _known(bundle.root())
    if word not in known:
        hint = did_you_mean(str(word), known) or f": one of {', '.join(sorted(known))}"
        raise ConfigError(f"source: {word!r} is no source{hint}", setting="source", value=word)
    return known[word]


def known() -> Mapping[str, Source]:
    """Return every source by its word."""
    return _known(bundle.root())


def tables() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tables of sources and of signals, as the mixin has them."""
    return _tables(bundle.root())


@functools.lru_cache(maxsize=4)
def _tables(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    tables = jsonnet.evaluate("rules/defaults.jsonnet", root=root)
    return tables["sources"], tables["signals"]


@functools.lru_cache(maxsize=4)
def _known(root: Path) -> dict[str, Source]:
    sources, signals = _tables(root)
    return {word: _source(word, about, sources[NATIVE], signals) for word, about in sources.items()}


def _source(word: str, about: Mapping[str, Any], native: Mapping[str, Any], signals: Mapping[str, Any]) -> Source:
    pairs = [(name_of(row, native), name_of(row, about)) for row in signals.values()]
    http = about["http"]
    return Source(
        word,
        about["title"],
        names={ours: theirs for ours, theirs in pairs if ours and theirs},
        labels=http["labels"],
        requests=http["requests"],
        durations=http["durations"],
        alone=frozenset(theirs for ours, theirs in pairs if theirs and not ours),
        milliseconds=http.get("milliseconds", False),
    )


def name_of(signal: Mapping[str, Any], source: Mapping[str, Any]) -> str | None:
    """Return what a source calls a signal, both rows of the tables; None where it has no such signal."""
    if "http" not in signal:
        name: str | None = signal["sources"].get(source["runtime"])
        return name
    family = source["http"].get(signal["http"])
    return family and f"{family}{signal['suffix']}"
