"""Pages of all workers, and of each one: `worker=N` asks that one alone, whoever answers."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from runtime_exporter.prefork.peers import PeerError
from runtime_exporter.web.api_pages import problem
from runtime_exporter.web.pprof_pages import pprof_routes, refusal
from runtime_exporter.web.summary_pages import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime_exporter.prefork.everyone import Everyone
    from runtime_exporter.prefork.peers import Peers
    from runtime_exporter.web.page import Ask, Reply, Route

PATIENCE: Final = 10.0
"""Seconds that a worker may take for a page."""


def shared_routes(
    everyone: Everyone, peers: Peers, *, longest: float, taking: threading.Lock | None = None
) -> tuple[Route, ...]:
    """Return the pages below /debug/pprof: of all workers, and with `worker=N` of one.

    `worker=all` is of all also where that is dear.
    """
    taking = taking or threading.Lock()
    usual, dear = (pprof_routes(everyone.sources(dear=dear), longest=longest, taking=taking) for dear in (False, True))
    pages = zip(usual, dear, strict=True)
    return tuple(replace(one, page=_chosen(one, peers, longest + PATIENCE, of_all=all_.page)) for one, all_ in pages)


def routes_of_each(routes: Iterable[Route], peers: Peers, seconds: float = PATIENCE) -> tuple[Route, ...]:
    """Return pages of which `worker=N` is that worker's, if it answers within so many seconds."""
    return tuple(replace(route, page=_chosen(route, peers, seconds, of_all=route.page)) for route in routes)


def _chosen(route: Route, peers: Peers, seconds: float, *, of_all: Callable[[Ask], Reply]) -> Callable[[Ask], Reply]:
    refused = problem if route.path.startswith(PREFIX) else refusal

    def chosen(ask: Ask) -> Reply:
        written = ask.query.get("worker", [""])[-1]
        if written in ("", "all"):
            return of_all(ask) if written else route.page(ask)
        number = int(written) if written.isascii() and written.isdigit() and len(written) < 5 else -1  # noqa: PLR2004
        if number not in peers.numbers():
            there = ", ".join(map(str, peers.numbers())) or "none"
            return refused(404, f"No worker {written!r} lives: there are {there}")
        query = {name: values[-1] for name, values in ask.query.items() if name != "worker"}
        path = f"{route.path}/{quote(ask.rest)}" if ask.rest else route.path
        try:
            return peers.connection(number, seconds).get(f"{path}?{urlencode(query)}")
        except PeerError as error:
            return refused(503, f"Worker {number}: {error}")

    return chosen
