"""Pages of all workers, and of each one: `worker=N` asks that one alone, whoever answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from runtime_exporter.prefork.peers import PeerError
from runtime_exporter.web.api_pages import problem
from runtime_exporter.web.pprof_pages import pprof_routes, refusal
from runtime_exporter.web.summary_pages import PREFIX

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from runtime_exporter.prefork.peers import Peers
    from runtime_exporter.web.page import Ask, Reply, Route
    from runtime_exporter.web.pprof_pages import Sources

PATIENCE: Final = 10.0
"""Seconds that a worker may take for a page."""


def shared_routes(
    everyone: Sources, peers: Peers, *, longest: float, taking: threading.Lock | None = None
) -> tuple[Route, ...]:
    """Return the pages below /debug/pprof: of all workers, and with `worker=N` of one."""
    return routes_of_each(pprof_routes(everyone, longest=longest, taking=taking), peers, longest + PATIENCE)


def routes_of_each(routes: Iterable[Route], peers: Peers, seconds: float = PATIENCE) -> tuple[Route, ...]:
    """Return pages of which `worker=N` is that worker's, if it answers within so many seconds."""
    return tuple(replace(route, page=_chosen(route, peers, seconds)) for route in routes)


def _chosen(route: Route, peers: Peers, seconds: float) -> Callable[[Ask], Reply]:
    refused = problem if route.path.startswith(PREFIX) else refusal

    def chosen(ask: Ask) -> Reply:
        written = ask.query.get("worker", [""])[-1]
        if not written:
            return route.page(ask)
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
