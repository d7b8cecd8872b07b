"""Whether the metrics of a user's own alerts and business metrics exist, as far as that can be known: what is called as one of ours has to be one.

A metric of the application's own is nobody's business here: whether it exists is known by a scrape (`runtime-exporter check --metrics`).
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config, contract
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_OURS = re.compile(r"(?:runtime_exporter|profile|python_asyncio|http_server_request)_")
"""What nobody else's metrics begin with; process_ and python_ are those of other libraries, too."""

_TYPING_ERROR = 0.95
"""difflib's ratio from which a name is another one with a letter wrong: process_resident_memory_byte."""


def check(alerts: Mapping[str, Any], exposed: Collection[str], business: Sequence[Any] = ()) -> None:
    """Raise ConfigError for the first metric of `customAlerts`, or of `businessMetrics`, that looks like one of `exposed` and is none."""
    known = contract.OF_PROMETHEUS.union(exposed)
    for index, spec in enumerate(business):
        metric = spec.get("metric") if isinstance(spec, dict) else None
        if isinstance(metric, str) and not {metric, f"{metric}_bucket"} & known and _is_meant(metric, known):
            problem = f"is nothing that is exposed{did_you_mean(metric, known)}"
            raise config.refuse(("businessMetrics", str(index), "metric"), metric, problem)
    _check_expressions("customAlerts", alerts, known)


def _check_expressions(
    section: str, specs: Mapping[str, Any], known: Collection[str], keys: Sequence[str] = ("metric", "expression")
) -> None:
    for name, spec in specs.items():
        for key in keys:
            text = spec.get(key) if isinstance(spec, dict) else None
            for metric in sorted(contract.names_used(text)) if isinstance(text, str) else ():
                if ":" not in metric and metric not in known and _is_meant(metric, known):
                    problem = f"reads {metric}, which nothing exposes{did_you_mean(metric, known)}"
                    raise config.refuse((section, name, key), text, problem)


def check_bands(bands: Mapping[str, Any], exposed: Collection[str]) -> None:
    """Raise ConfigError for the first metric of `anomalies` that looks like one of `exposed` and is none."""
    expressions = {
        name: {"expression": spec["expression"] if isinstance(spec, dict) and "expression" in spec else spec}
        for name, spec in bands.items()
    }
    _check_expressions("anomalies", expressions, contract.OF_PROMETHEUS.union(exposed))


def check_objectives(objectives: Mapping[str, Any], exposed: Collection[str]) -> None:
    """Raise ConfigError for the first counter of `slos` that looks like one of `exposed` and is none."""
    known = contract.OF_PROMETHEUS.union(exposed)
    _check_expressions("slos", objectives, known, ("events", "badEvents"))


def _is_meant(metric: str, known: Collection[str]) -> bool:
    return bool(_OURS.match(metric) or difflib.get_close_matches(metric, known, n=1, cutoff=_TYPING_ERROR))
