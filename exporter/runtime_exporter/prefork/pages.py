"""/debug/pprof/ of all workers, and of each one: `worker=N` asks that one alone, whoever answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from runtime_exporter.prefork.peers import PeerError
from runtime_exporter.web.pprof_pages import PATH, pprof_routes, refusal

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from runtime_exporter.prefork.peers import Peers
    from runtime_exporter.web.page import Ask, Reply, Route
    from runtime_exporter.web.pprof_pages import Sources

_PATIENCE = 10.0


def shared_routes(
    everyone: Sources, peers: Peers, *, longest: float, taking: threading.Lock | None = None
) -> tuple[Route, ...]:
    """Return the pages below /debug/pprof: of all workers, and with `worker=N` of one."""
    return tuple(
        replace(route, page=_chosen(route.page, peers, longest))
        for route in pprof_routes(everyone, longest=longest, taking=taking)
    )


def _chosen(page: Callable[[Ask], Reply], peers: Peers, longest: float) -> Callable[[Ask], Reply]:
    def chosen(ask: Ask) -> Reply:
        written = ask.query.get("worker", [""])[-1]
        if not written:
            return page(ask)
        number = int(written) if written.isascii() and written.isdigit() and len(written) < 5 else -1  # noqa: PLR2004
        if number not in peers.numbers():
            there = ", ".join(map(str, peers.numbers())) or "none"
            return refusal(404, f"No worker {written!r} lives: there are {there}")
        query = {name: values[-1] for name, values in ask.query.items() if name != "worker"}
        path = f"{PATH}/{quote(ask.rest)}" if ask.rest else PATH
        try:
            return peers.connection(number, longest + _PATIENCE).get(f"{path}?{urlencode(query)}")
        except PeerError as error:
            return refusal(503, f"Worker {number}: {error}")

    return chosen
