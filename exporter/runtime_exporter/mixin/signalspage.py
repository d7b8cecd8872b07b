"""docs/signals.md, made of the mixin's tables: which metric a rule reads, and what each source calls it."""

from __future__ import annotations

from runtime_exporter.mixin import sources

_HEAD = """\
# Signals and sources

The rules and dashboards watch applications that others instrument, too: `source: starlette_exporter` in the configuration, or
`--set source=starlette_exporter`, is all. An alert that a source has nothing for is left out, and so are panels and whole dashboards.
`http.selector` and `http.errorSelector` go on speaking of `http_route`, `http_request_method` and `http_response_status_code`.
Profiles are runtime_exporter's own, or its agent's.

| source | instrumentation | route | method | status |
|---|---|---|---|---|
"""

_NOTES = """
- prometheus_fastapi_instrumentator: its buckets end at 1 s by default, so that no quantile is longer.
- prometheus_flask_exporter: without `group_by="url_rule"` its label is the path with every ID in it.
- django_prometheus: a view stands for a route; name your views.
- opentelemetry: Python's instrumentations need `OTEL_SEMCONV_STABILITY_OPT_IN=http`; without it they are `opentelemetry_milliseconds`,
  whose bounds of buckets the rules turn into seconds.
- go: call the histogram `http_request_duration_seconds` and curry the label `handler`; goroutines stand for threads.

## What each is called

`—`: the source has no such metric.
"""


def page() -> str:
    """Return docs/signals.md."""
    tables, signals = sources.tables()
    words = [sources.NATIVE, *sorted(set(tables) - {sources.NATIVE})]
    lines = [_HEAD.rstrip("\n")]
    for word in words:
        theirs = tables[word]["http"]["labels"]
        labels = [theirs[each] for each in ("http_route", "http_request_method", "http_response_status_code")]
        lines.append(f"| `{word}` | {tables[word]['title']} | {' | '.join(f'`{label}`' for label in labels)} |")
    lines.append(_NOTES)
    for name, row in signals.items():
        lines.append(f"### {name}\n\n{row['help']} ({row['type']}, {row['unit']})\n")
        called: dict[str, list[str]] = {}
        for word in words:
            called.setdefault(sources.name_of(row, tables[word]) or "", []).append(f"`{word}`")
        for metric, those in sorted(called.items(), key=lambda each: not each[0]):
            who = "every source" if len(called) == 1 else ", ".join(those)
            lines.append(f"- {f'`{metric}`' if metric else '—'}: {who}")
        lines.append("")
    return "\n".join(lines)
