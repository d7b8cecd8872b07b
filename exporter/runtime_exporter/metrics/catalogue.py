"""The page docs/metrics.md: every family that may be exposed, from the families themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.metrics.family import Family
    from runtime_exporter.metrics.metric import Metric

_HEAD: Final = """\
<!-- Written by `runtime-exporter list metrics --markdown`: change the collectors. -->
# Metrics

What the exporter exposes, apart from what the application registers itself. Rules and dashboards read these names; a test holds them together. Names are
client_python's where it has them (`python_*`, `process_*`) and OpenTelemetry's for HTTP. A family without a value on this machine (a memory limit where
there is none) is left out of the scrape. Labels whose values the application chooses are capped: what comes after the cap is `other`, and
`runtime_exporter_folded_total` counts it. Functions of profiles are members for as long as they are among the largest: when one leaves, its series ends, and what it
costs from then on is in `other`. Members and `other` add up to the total exactly in their increases (`rate`, `increase`), not in their raw values.

Where several workers serve together ([prefork.md](prefork.md)), the column *workers* says how their values become one: `sum`, `min` and `max` are over all
that ever worked, with `live` before it over those that live. *and each*: every live worker's own value is there, too, under the name with `worker_` before it.
"""

_SECTIONS: Final = (
    ("http_", "HTTP"),
    ("process_", "Process"),
    ("host_", "Host"),
    ("python_", "Python"),
    ("profile_", "Profiles"),
    ("runtime_exporter_", "The exporter itself"),
    ("agent_", "The agent"),
)


OF_WORKER: Final = "worker_"
"""What stands before the name of a family that tells of each worker what another one tells of all."""


def names(family: Family) -> tuple[str, ...]:
    """Return every name that a sample of a family may have, the workers' own among them."""
    common = family.sample_names()
    return (*common, *(OF_WORKER + name for name in common)) if family.per_worker else common


def exposed_name(family: Family) -> str:
    """Return the name that is seen in Prometheus: the family's, with what its type puts behind."""
    return family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")


def page(metrics: Iterable[Metric]) -> str:
    """Return the page as Markdown."""
    families = sorted({metric.family.name: metric.family for metric in metrics}.values(), key=exposed_name)
    parts = [_HEAD]
    for prefix, title in _SECTIONS:
        rows = [_row(family) for family in families if family.name.startswith(prefix)]
        parts.append(
            f"\n## {title}\n\n| metric | type | labels | workers | what |\n|---|---|---|---|---|\n{''.join(rows)}"
        )
    return "".join(parts)


def _row(family: Family) -> str:
    labels = ", ".join(f"`{name}`" for name in family.labelnames)
    workers = f"{family.mode} and each" if family.per_worker else family.mode
    return f"| `{exposed_name(family)}` | {family.type} | {labels} | {workers} | {family.documentation} |\n"
