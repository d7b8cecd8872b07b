"""/api/v1/summary and /api/v1/recommendations: the last report of profiling, for programs.

They are made of a report alone, whoever took the profiles: this process, or an agent of another one.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.profiling.bias import bias_risk
from runtime_exporter.profiling.naming import IDLE
from runtime_exporter.profiling.summary import INSTANT
from runtime_exporter.web.page import Ask, Reply, Route, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.profiling.pipeline import Report, Taken
    from runtime_exporter.profiling.table import Table

    Find = Callable[[Ask], "Report | None"]
    Make = Callable[[Report, Ask], dict[str, object]]

PREFIX: Final = "/api/v1"
SECONDS: Final = 300.0
"""Of a kind that adds up, so much time is summed unless `seconds` says otherwise."""
LIMIT: Final = 20
_MOST: Final = 500
# From ten times as much on, per cent say nothing to anybody.
_HARDLY: Final = 9.0
SEVERITIES: Final = ("info", "warning", "critical")
"""The least first."""
_OFF: Final = "this process is not profiled: the setting profiling switches it on"
_EARLY: Final = "the first interval of profiling is not over"


def summary_routes(
    find: Find, *, prefix: str = PREFIX, advice: Callable[[Ask], Reply] | None = None
) -> tuple[Route, ...]:
    """Return the pages below `prefix`; `find` gives the last report, or None where profiling is off.

    advice: the page of recommendations, where they are not those of that report.
    """
    return (
        Route(
            f"{prefix}/summary",
            ReportPage(find, summary),
            title="What the last profiles came to: functions, totals, comparison with the past, as JSON",
        ),
        Route(
            f"{prefix}/recommendations",
            advice or ReportPage(find, recommendations),
            title="What to change, with evidence, and what is suspected to leak, as JSON",
        ),
    )


class ReportPage:
    """One page, where there is a report: what `make` says of what `find` finds."""

    def __init__(self, find: Find, make: Make) -> None:
        self._find = find
        self._make = make

    def __call__(self, ask: Ask) -> Reply:
        """Return the page, or in one line why there is none."""
        report = self._find(ask)
        if report is None:
            return json_reply({"error": _OFF}, 501)
        if report.interval is None:
            return json_reply({"error": _EARLY}, 503)
        try:
            return json_reply(plain(self._make(report, ask)))
        except ValueError as error:
            return json_reply({"error": str(error)}, 400)


def summary(report: Report, ask: Ask) -> dict[str, object]:
    """Return what the profiles of the last `seconds` came to; `kind` is one of them, `limit` the functions of each list.

    Raises ValueError for a query that asks for what there is not.
    """
    interval = report.interval
    if interval is None:
        raise ValueError(_EARLY)
    wanted, seconds = _one(ask, "kind"), _number(ask, "seconds", SECONDS, math.inf)
    limit = int(_number(ask, "limit", LIMIT, _MOST))
    known = sorted(interval.recent)
    if wanted and wanted not in known:
        raise ValueError(f"kind={wanted}: there is {', '.join(known) or 'no profile yet'}")
    return {
        **about(interval.taken),
        **_whose(report),
        "profiles": [
            _profile(_recent(interval.recent[kind], seconds), limit, report.comparisons.get(kind))
            for kind in known
            if wanted in ("", kind) and interval.recent[kind]
        ],
    }


def _whose(report: Report) -> dict[str, object]:
    """Return which workers a report of several is of; of one process, what its profiles cost it."""
    if report.workers:
        return {"workers": list(report.workers), "missing": named(report.missing)}
    interval = report.interval
    taken = interval.taken if interval is not None else None
    return {
        "overhead": {
            "cpu_seconds": report.cpu_seconds,
            "helper_cpu_seconds": report.helper_cpu_seconds,
            "last_interval_sampling_ratio": _share(taken.own_cpu_seconds + taken.helper_cpu_seconds, taken.seconds)
            if taken is not None
            else None,
        }
    }


def recommendations(report: Report, ask: Ask) -> dict[str, object]:
    """Return the recommendations with all their fields, those of at least `severity`, and the leak suspects.

    Raises ValueError for a severity that there is not.
    """
    if report.interval is None:
        raise ValueError(_EARLY)
    chosen = severities(ask)
    return {
        **about(report.interval.taken),
        "recommendations": [asdict(one) for one in report.recommendations if one.severity in chosen],
        "leak_suspects": [
            {**asdict(one), "growth": one.growth, "text": str(one)}
            for suspects in report.suspects.values()
            for one in suspects
        ],
        "looked_for_leaks_of": sorted(report.suspects),
    }


def severities(ask: Ask) -> tuple[str, ...]:
    """Return the severities that are asked for. Raises ValueError for one that there is not."""
    least = _one(ask, "severity") or SEVERITIES[0]
    if least not in SEVERITIES:
        raise ValueError(f"severity is {', '.join(SEVERITIES)}, not {least!r}")
    return SEVERITIES[SEVERITIES.index(least) :]


def about(taken: Taken) -> dict[str, object]:
    """Return what is to be said of how the profiles of an interval were taken."""
    return {
        "backend": taken.backend,
        "unbiased": taken.unbiased,
        "bias": bias_risk(unbiased=taken.unbiased, bias_ratio=taken.bias_ratio),
        "bias_ratio": taken.bias_ratio,
        "last_interval": {"begin": _written(taken.begin), "end": _written(taken.end), "samples": taken.samples},
    }


def _recent(tables: Sequence[Table], seconds: float) -> Sequence[Table]:
    """Return the tables of the last `seconds`, at least the last one; of a kind that says how things are, only that."""
    last = tables[-1]
    if last.kind in INSTANT:
        return (last,)
    return [one for one in tables if one is last or last.end - one.begin <= seconds]


def _profile(tables: Sequence[Table], limit: int, judgement: Any) -> dict[str, object]:
    first, last = tables[0], tables[-1]
    self_, cum, counts = _sum(tables, "self_"), _sum(tables, "cum"), _sum(tables, "counts")
    total, samples = math.fsum(one.total for one in tables), sum(one.samples for one in tables)
    info = {name: place for one in tables for name, place in one.info.items()}
    callers = {name: caller for one in tables for name, caller in one.callers.items()}

    def rows(values: Mapping[str, float]) -> list[dict[str, object]]:
        heaviest = sorted(values.items(), key=lambda item: (-item[1], item[0]))
        return [
            {
                "function": name,
                "value": value,
                "share": _share(value, total),
                **_place(info.get(name)),
                "caller": callers.get(name),
            }
            for name, value in heaviest[:limit]
            if value > 0 and name != IDLE
        ]

    own = rows(self_)
    return {
        "kind": last.kind,
        "unit": last.unit,
        "begin": _written(first.begin),
        "end": _written(last.end),
        "seconds": math.fsum(one.end - one.begin for one in tables),
        "intervals": len(tables),
        "total": total,
        "samples": samples,
        "idle": self_.get(IDLE, 0.0),
        "self": [{**row, "samples": counts.get(str(row["function"]), 0)} for row in own],
        "self_coverage": math.fsum(float(str(row["share"] or 0.0)) for row in own),
        "cum": rows(cum),
        "comparison": _comparison(judgement),
    }


def _sum(tables: Sequence[Table], column: str) -> Mapping[str, float]:
    sums: Counter[str] = Counter()
    for one in tables:
        sums.update(getattr(one, column))
    return sums


def _place(place: tuple[str, int] | None) -> dict[str, object]:
    file, line = place or ("", 0)
    return {"file": file or None, "line": line or None}


def _comparison(judgement: Any) -> dict[str, object]:
    """Return what a comparison found, and in any case what it could have found."""
    if judgement is None:
        return {"verdict": "not compared: there is no baseline yet, or none is kept of this kind", "findings": []}
    comparison = judgement.comparison
    return {
        "verdict": _verdict(comparison),
        "baseline": comparison.baseline,
        "baseline_age_seconds": judgement.baseline_age,
        "smallest_visible_change": comparison.mde_ratio,
        "divergence": comparison.divergence,
        "findings": [asdict(one) for one in comparison.findings],
    }


def _verdict(comparison: Any) -> str:
    confirmed = [one for one in comparison.findings if one.state == "confirmed"]
    if confirmed:
        return "; ".join(
            f"{one.function} rose from {one.share_before:.1%} to {one.share_now:.1%} of the {one.kind} time"
            for one in confirmed
        )
    return f"no regression found; smallest visible change: {_change(comparison.mde_ratio)}"


def _change(ratio: float) -> str:
    if not math.isfinite(ratio):
        return "none at all, for there are no samples"
    return f"{ratio:.0%}" if ratio < _HARDLY else f"to {1 + ratio:.0f} times as much, for samples are few"


def _one(ask: Ask, name: str) -> str:
    return ask.query.get(name, [""])[-1]


def _number(ask: Ask, name: str, default: float, most: float) -> float:
    written = _one(ask, name)
    try:
        number = float(written) if written else default
    except ValueError:
        number = math.nan
    if not 1 <= number <= most or math.isinf(number):
        limit = f" and at most {most:g}" if math.isfinite(most) else ""
        raise ValueError(f"{name}={written}: a number of at least 1{limit} is needed")
    return number


def _share(value: float, total: float) -> float | None:
    return value / total if total > 0 else None


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def named(missing: Mapping[int, str]) -> list[dict[str, object]]:
    """Return which workers are not told of, and why."""
    return [{"worker": number, "why": why} for number, why in sorted(missing.items())]


def plain(value: Any) -> Any:
    """Return the same as JSON can say it: what is not finite is null there."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
