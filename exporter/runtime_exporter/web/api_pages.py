"""/api/v1/profiles: the profiles that are kept, for programs: the list, one as a file, and what changed between two. Errors are JSON, too."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.difference import changes
from runtime_exporter.profiling.stored import CAPTURE
from runtime_exporter.profiling.table import tabulate
from runtime_exporter.web.page import Ask, Reply, Route, json_reply
from runtime_exporter.web.pprof_pages import attachment

if TYPE_CHECKING:
    from runtime_exporter.profiling.kept import Kept
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.stored import Entry

PATH = "/api/v1/profiles"
_MOST_FUNCTIONS = 100
"""Rows of a difference; what is below them changed less."""


def api_routes(kept: Kept | None) -> tuple[Route, ...]:
    """Return the pages below /api/v1; where nothing is kept they say which setting makes one."""
    return (
        Route(
            PATH,
            _Profiles(kept),
            subtree=True,
            title="Profiles that are kept: a list, files, and differences, as JSON",
        ),
    )


def problem(status: int, message: str) -> Reply:
    """Return an error as a program can read it."""
    return json_reply({"error": message}, status)


class _Profiles:
    """The list of profiles, a profile, and the difference of two."""

    def __init__(self, kept: Kept | None) -> None:
        self._kept = kept

    def __call__(self, ask: Ask) -> Reply:
        if self._kept is None:
            return problem(501, "no profiles are kept: the setting profile_directory says where they would be")
        try:
            return _answer(self._kept, ask)
        except ValueError as error:
            return problem(400, str(error))
        except ProfileError as error:
            return problem(404, str(error))


def _answer(kept: Kept, ask: Ask) -> Reply:
    if not ask.rest:
        return json_reply({"profiles": _list(kept, ask)})
    if ask.rest == "diff":
        return json_reply(_difference(kept, ask))
    return attachment(ask.rest, kept.read_bytes(ask.rest))


def _list(kept: Kept, ask: Ask) -> list[dict[str, object]]:
    kind = _one(ask, "kind")
    begin, end = _one(ask, "begin"), _one(ask, "end")
    found = kept.entries(
        kind,
        begin=_time(begin) if begin else -math.inf,
        end=_time(end) if end else math.inf,
        worker=_worker(_one(ask, "worker")),
    )
    return [_row(entry, ask.root) for entry in found]


def _row(entry: Entry, root: str) -> dict[str, object]:
    return {
        "id": entry.name,
        "url": f"{root}{PATH}/{quote(entry.name, safe='')}",
        "kind": entry.kind,
        "begin": _written(entry.begin),
        "end": _written(entry.end),
        "resolution": entry.resolution,
        "on_demand": entry.resolution == CAPTURE,
        "pid": entry.process or None,
        "workers": [entry.worker] if entry.worker is not None else [*entry.workers],
        "labels": dict(entry.labels),
        "bytes": entry.size,
    }


def _worker(written: str) -> int | None:
    """Return the number of a worker, or None where none is asked for. Raises ValueError for what is no number."""
    if not written:
        return None
    if not (written.isascii() and written.isdigit()):
        raise ValueError(f"worker={written}: the number of a worker is needed")
    return int(written)


def _difference(kept: Kept, ask: Ask) -> dict[str, object]:
    """Return what changed from `before` to `after`, each an id, or BEGIN..END of the profiles of one `kind`."""
    column = _one(ask, "column") or "self"
    if column not in ("self", "cum"):
        raise ValueError(f"column is self or cum, not {column!r}")
    before, after = (tabulate(chosen(kept, ask, name), _one(ask, "sample_type")) for name in ("before", "after"))
    rows = changes(before, after, column=column, normalised=True)
    return {
        "kind": after.kind,
        "unit": after.unit,
        "column": column,
        "total": {"before": before.total, "after": after.total},
        "functions": [
            {
                "function": row.function,
                "before": before.self_.get(row.function, 0) if column == "self" else before.cum.get(row.function, 0),
                "after": row.after,
                "share_before": row.share_before,
                "share_after": row.share_after,
                "share_change": row.share,
            }
            for row in rows[:_MOST_FUNCTIONS]
        ],
        "left_out": max(0, len(rows) - _MOST_FUNCTIONS),
    }


class Profiles(Protocol):
    """Where profiles are read from by name, or all of a time."""

    def read(self, name: str) -> Profile:
        """Return one. Raises ProfileError where there is none."""
        ...

    def merged(self, kind: str, begin: float, end: float) -> Profile:
        """Return those of a time as one. Raises ProfileError where there is none."""
        ...


def chosen(profiles: Profiles, ask: Ask, name: str) -> Profile:
    """Return the profile that a field of the query names: an id, or BEGIN..END with the field `kind`.

    Raises ValueError for what names none, ProfileError where there is none of that name or time.
    """
    wanted = _one(ask, name)
    begin, between, end = wanted.partition("..")
    if not wanted:
        raise ValueError(f"{name} is needed: the id of a profile, or BEGIN..END together with kind")
    if not between:
        return profiles.read(wanted)
    if not _one(ask, "kind"):
        raise ValueError(f"{name}={wanted} is a range of time: kind says of which profiles")
    return profiles.merged(_one(ask, "kind"), _time(begin), _time(end))


def _one(ask: Ask, name: str) -> str:
    return ask.query.get(name, [""])[-1]


def _time(written: str) -> float:
    """Return Unix seconds of a time as Prometheus takes it: such seconds, or RFC 3339."""
    try:
        seconds = float(written)
    except ValueError:
        try:
            moment = datetime.fromisoformat(written.replace("Z", "+00:00"))
        except ValueError:
            raise ValueError(f"{written!r} is no time: Unix seconds or 2026-11-22T03:00:00Z are needed") from None
        seconds = moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
    if not math.isfinite(seconds):
        raise ValueError(f"{written!r} is no time")
    return seconds


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
