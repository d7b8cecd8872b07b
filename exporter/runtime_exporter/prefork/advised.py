"""The advice of several workers as one: what a rule says of some of them is said once, by the one that is worst off, with their numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.prefork.everyone import answers
from runtime_exporter.profiling.advice.catalogue import RULE_NAMES_OF_PROFILES
from runtime_exporter.profiling.leaks import MOST
from runtime_exporter.web.page import Ask
from runtime_exporter.web.summary_pages import PREFIX, SEVERITIES, ReportPage, recommendations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime_exporter.prefork.peers import Peers
    from runtime_exporter.profiling.pipeline import Report
    from runtime_exporter.profiling.verdict import Verdict

    Row = Mapping[str, Any]

_PATH: Final = f"{PREFIX}/recommendations"
_FIELDS: Final = ("recommendations", "leak_suspects", "looked_for_leaks_of")


def ask_each(peers: Peers, number: int | None, own: Report | None) -> tuple[dict[int, Row], dict[int, str]]:
    """Return by worker what its own page of recommendations says, and why there is none of those who do not answer.

    number: this one, whose report is `own`; None: it is no worker.
    """
    pages: dict[int, bytes] = {}
    if number is not None:
        pages[number] = ReportPage(lambda _: own, recommendations)(Ask("GET")).body
    answered, missing = answers(peers, _PATH, but=number)
    read = {worker: _read(body) for worker, body in {**pages, **answered}.items()}
    missing |= {worker: one for worker, one in read.items() if isinstance(one, str)}
    return {worker: one for worker, one in sorted(read.items()) if not isinstance(one, str)}, missing


def recommended(verdict: Verdict | None, pages: Mapping[int, Row]) -> list[Row]:
    """Return the recommendations, the most severe first: on profiles those on all workers' together, all others by worker.

    As long as nobody has looked at all together, each worker's own on its profiles stand for them.
    """
    found: dict[tuple[str, str], list[tuple[int, Row]]] = {}
    for worker, page in pages.items():
        for row in page["recommendations"]:
            if verdict is None or row["rule"] not in RULE_NAMES_OF_PROFILES:
                found.setdefault((row["rule"], row["target"]), []).append((worker, row))
    rows = [_worst(said) for said in found.values()]
    return sorted([*rows, *(verdict.recommendations if verdict is not None else ())], key=_weight, reverse=True)


def suspected(pages: Mapping[int, Row]) -> dict[str, object]:
    """Return what is suspected to leak, in which worker, and what was looked at: as many suspects as one process tells of."""
    suspects = [{**row, "workers": [worker]} for worker, page in pages.items() for row in page["leak_suspects"]]
    suspects.sort(key=lambda row: (row["kind"], -row["slope"]))
    kinds = {row["kind"] for row in suspects}
    steepest = [row for kind in sorted(kinds) for row in [one for one in suspects if one["kind"] == kind][:MOST]]
    looked = {kind for page in pages.values() for kind in page["looked_for_leaks_of"]}
    return {"leak_suspects": steepest, "looked_for_leaks_of": sorted(looked)}


def _worst(said: Sequence[tuple[int, Row]]) -> Row:
    _, row = max(said, key=lambda one: _weight(one[1]))
    return {**row, "workers": sorted(worker for worker, _ in said)}


def _weight(row: Row) -> tuple[int, float]:
    return SEVERITIES.index(row["severity"]), row["gain_upper_bound"] or 0.0


def _read(body: bytes) -> Row | str:
    """Return a page, or why it is none."""
    try:
        page = json.loads(body)
        return {name: page[name] for name in _FIELDS} if "error" not in page else str(page["error"])
    except (ValueError, TypeError, KeyError):
        return "it answered what this version does not understand"
