"""The HTML of the pages about profiles: lists, the functions of one, what changed between two."""

from __future__ import annotations

from datetime import datetime, timezone
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from runtime_exporter.profiling.alerts import ALERT
from runtime_exporter.profiling.amounts import Amounts, percent
from runtime_exporter.profiling.stored import CAPTURE, RAW
from runtime_exporter.web.style import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runtime_exporter.profiling.comparison import Finding
    from runtime_exporter.profiling.difference import Change
    from runtime_exporter.profiling.stored import Entry
    from runtime_exporter.profiling.table import Table

PATH: Final = "/profiles"
ROWS: Final = 15
"""Functions of a table; the flame graph has them all."""
_CHANGES: Final = 30
_WORKERS: Final = 8
"""Numbers of workers in a row; those of more are in the comments of the profile."""
NAMES: Final = {
    "cpu": "CPU",
    "wall": "Wall time",
    "heap": "Heap",
    "allocs": "Allocations",
    "goroutine": "Threads",
    "threads": "Threads",
    "block": "Waiting",
    "mutex": "Locks",
}
_WORDS: Final = {CAPTURE: "on demand", RAW: "interval", "10m": "10 minutes", "1h": "1 hour"}


def link(root: str, *parts: str, **query: str) -> str:
    """Return the address of a page about profiles, escaped for an attribute; empty values of a query are left out."""
    path = "/".join([root + PATH, *(quote(part, safe="") for part in parts)])
    wanted = urlencode({name: value for name, value in query.items() if value})
    return escape(f"{path}?{wanted}" if wanted else path)


def called(kind: str) -> str:
    """Return what a kind of profile is called in a sentence's beginning."""
    return NAMES.get(kind, kind)


def moment(seconds: float) -> str:
    """Return a time for people: UTC, to the second."""
    return f"{datetime.fromtimestamp(seconds, tz=timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def since(seconds: float) -> str:
    """Return how long ago something was, for people."""
    minutes = max(0, round(seconds / 60))
    if minutes < 120:  # noqa: PLR2004 - two hours and more are said in hours, two days and more in days
        return f"{minutes} min ago" if minutes else "just now"
    return f"{minutes // 60} h ago" if minutes < 2880 else f"{minutes // 1440} days ago"  # noqa: PLR2004


def lasting(seconds: float) -> str:
    """Return a duration for people."""
    if seconds <= 0:
        return "an instant"
    return f"{seconds / 60:.3g} min" if seconds >= 120 else f"{seconds:.3g} s"  # noqa: PLR2004 - 90 s is read better than 1.5 min


def header(title: str, about: str, links: Iterable[tuple[str, str]], here: str = "") -> str:
    """Return the head of a page; for `links` and `here` see `navigation`."""
    head = f'<h1>{escape(title)}</h1><p class="soft">{escape(about)}</p>'
    return f"<header>{head}{navigation(links, here)}</header>\n"


def navigation(links: Iterable[tuple[str, str]], here: str = "") -> str:
    """Return `links`, escaped addresses and words, in a row; the words of the one that leads to what is shown are `here`."""
    written = (f'<a href="{address}"{_HERE if words == here else ""}>{escape(words)}</a>' for address, words in links)
    return f"<nav>{''.join(written)}</nav>"


_HERE = ' aria-current="true"'


def note(html: str) -> str:
    """Return a remark that is to be seen; `html` is HTML."""
    return f'<p class="note">{html}</p>\n'


_BYTES = ' data-head="bytes"'


def listing(root: str, entries: Sequence[Entry]) -> str:
    """Return the table of kept profiles, in which two can be chosen."""
    if not entries:
        return "<p>None of this kind is kept.</p>\n"
    shared = any(of_workers(entry) for entry in entries)
    rows = "".join(_entry_row(root, entry, shared=shared) for entry in entries)
    columns = ("Profile", "Began", "Alert", "Over", "Version", *(("Workers",) if shared else ()), "Kept as")
    heads = "".join(f"<th>{word}</th>" for word in columns)
    return (
        f'<form action="{escape(root)}{PATH}/diff">\n<table class="rows">\n'
        f'<thead><tr>{heads}<th class="number">Bytes</th><th>Before</th><th>After</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n<p><button>Compare the two that are chosen</button></p>\n</form>\n"
    )


def of_workers(entry: Entry) -> str:
    """Return which workers a profile is of, such as "0, 2", of many how many; empty where there are none, or it is not known."""
    numbers = entry.workers or (() if entry.worker is None else (entry.worker,))
    return ", ".join(map(str, numbers)) if len(numbers) <= _WORKERS else f"{len(numbers)} workers"


def _entry_row(root: str, entry: Entry, *, shared: bool) -> str:
    labels = dict(entry.labels)
    alert = labels.get(ALERT, "")
    radios = "".join(
        f'<td data-head="{name}"><input type="radio" name="{name}" value="{escape(entry.name)}" aria-label="{name}"></td>'
        for name in ("before", "after")
    )
    alerted = f'<a href="{link(root, "alert", alert)}">{escape(alert)}</a>' if alert else ""
    return (
        f'<tr><td class="time"><a href="{link(root, entry.name)}">{escape(called(entry.kind))}</a></td>'
        f'<td class="time">{moment(entry.begin)}</td><td>{alerted}</td><td class="time">{lasting(entry.end - entry.begin)}</td>'
        f"<td>{escape(labels.get('version', ''))}</td>{f'<td>{of_workers(entry)}</td>' if shared else ''}<td>{_WORDS.get(entry.resolution, '')}</td>"
        f'<td class="number"{_BYTES if entry.size else ""}>{f"{entry.size:,}" if entry.size else "in memory"}</td>{radios}</tr>\n'
    )


def functions(table: Table, chosen: str = "") -> str:
    """Return the functions that cost most, and the `chosen` one wherever it stands, as a table."""
    names = sorted(table.cum, key=lambda name: (-table.self_.get(name, 0), -table.cum[name], name))[:ROWS]
    if chosen in table.cum and chosen not in names:
        names.insert(0, chosen)
    amount = Amounts(table.unit, table.total)
    rows = "".join(_function_row(table, name, amount, chosen=name == chosen) for name in names)
    left = len(table.cum) - len(names)
    more = f'<p class="soft">{left} more functions are in the flame graph.</p>\n' if left > 0 else ""
    return (
        f'<table class="functions">\n<thead><tr><th></th><th class="number">Self</th><th class="number"></th><th class="number">With callees</th>'
        f'<th class="number"></th><th>Function</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n{more}'
    )


def _function_row(table: Table, name: str, amount: Amounts, *, chosen: bool) -> str:
    own, cum = table.self_.get(name, 0.0), table.cum[name]
    file, line = table.info.get(name, ("", 0))
    place = f' <span class="soft">{escape(file)}{f":{line}" if line else ""}</span>' if file else ""
    return (
        f"<tr{_CHOSEN if chosen else ''}><td>{_share(own, table.total)}</td>"
        f'<td class="number" data-head="self">{amount(own)}</td><td class="number">{percent(own, table.total)}</td>'
        f'<td class="number" data-head="total">{amount(cum)}</td><td class="number">{percent(cum, table.total)}</td>'
        f'<td class="name"><code>{escape(name)}</code>{place}</td></tr>\n'
    )


_CHOSEN = ' class="chosen"'


def _share(part: float, whole: float) -> str:
    width = min(100.0, max(0.0, part / whole * 100 if whole else 0.0))
    return f'<span class="share"><i style="width:{width:.1f}%"></i></span>'


def changed(found: Sequence[Change], chosen: str = "") -> str:
    """Return what each function's share was and is, as a table with the `chosen` one wherever it stands."""
    shown = [change for change in found if change.function == chosen and change not in found[:_CHANGES]]
    shown += found[:_CHANGES]
    rows = ((one.function, one.share_before, one.share_after, f"{one.share * 100:+.2f} points") for one in shown)
    return _shares(rows, chosen, _NUMBER)


def regressions(findings: Iterable[Finding], chosen: str = "") -> str:
    """Return what the comparison with the past found, as a table."""
    return _shares(((one.function, one.share_before, one.share_now, _told(one)) for one in findings), chosen)


def _told(one: Finding) -> str:
    return f"{one.state} since {moment(one.since)}, {one.z:.1f} standard errors, against {one.baseline}"


_NUMBER = ' class="number"'


def _shares(rows: Iterable[tuple[str, float, float, str]], chosen: str, kind: str = "") -> str:
    """Return a table of shares and what is told of each; `kind` is the attribute of that column."""
    body = "".join(
        f'<tr{_CHOSEN if name == chosen else ""}><td class="name"><code>{escape(name)}</code></td>'
        f'<td class="number" data-head="before">{before:.2%}</td><td class="number" data-head="after">{after:.2%}</td><td{kind}>{escape(words)}</td></tr>\n'
        for name, before, after, words in rows
    )
    if not body:
        return "<p>Nothing changed.</p>\n"
    return (
        '<table class="rows">\n<thead><tr><th>Function</th><th class="number">Share before</th><th class="number">after</th>'
        f"<th{kind}>Change</th></tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"
    )


def nothing(root: str, said: str, *, title: str = "No profile", more: Sequence[tuple[str, str]] = ()) -> str:
    """Return a page that says why there is nothing, and where there is something."""
    seconds = f"{root}/debug/pprof/profile?seconds=10"
    body = (
        header(title, said, [*more, (link(root), "All profiles that there are"), (f"{escape(root)}/", "Home")])
        + "<h2>To have one</h2>\n<ul>\n"
        f'<li><a href="{escape(seconds)}">Take one now</a>, of the next 10 seconds of CPU time, as a file for'
        f' <code>go tool pprof</code>; <a href="{escape(root)}/debug/pprof">other kinds</a>.</li>\n'
        "<li>Keep those of all the time: the settings <code>profiling</code> and <code>profile_directory</code>.</li>\n"
        "<li>Have alerts take them: a webhook of Alertmanager to <code>/-/alert</code>.</li>\n</ul>\n"
    )
    return document(title, body + footer(root))


def footer(root: str) -> str:
    """Return the end of each page."""
    return (
        f'<footer><a href="{link(root)}">All profiles</a> · <a href="{escape(root)}/">runtime_exporter</a></footer>\n'
    )
