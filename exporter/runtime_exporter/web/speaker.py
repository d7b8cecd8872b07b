"""Pages that are of one process, where several answer at one address: each says whose it is."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Final

from runtime_exporter.web.page import HTML, Ask, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HEADER: Final = "X-Runtime-Exporter-Worker"


def spoken(routes: Iterable[Route], who: Callable[[], str], *, told: bool = True) -> tuple[Route, ...]:
    """Return `routes` with pages that name who answers, in a header and, if `told`, on what people read.

    Nobody is named where `who` says nothing.
    """
    return tuple(replace(route, page=_page(route.page, who, told=told)) for route in routes)


def _page(page: Callable[[Ask], Reply], who: Callable[[], str], *, told: bool) -> Callable[[Ask], Reply]:
    def named(ask: Ask) -> Reply:
        reply, name = page(ask), who()
        if not name:
            return reply
        headers = (*reply.headers, (HEADER, name))
        body = _told(reply.body, name) if told and reply.content_type == HTML else reply.body
        return replace(reply, body=body, headers=headers)

    return named


def _told(body: bytes, name: str) -> bytes:
    """Return an HTML page with a line at its end; a drawing, which is shown inside of a page, as it is."""
    start, end, rest = body.rpartition(b"</main>")
    note = f'<p class="soft">Answered by {escape(name)}: what does not say that it is of all workers is of that process. Another may answer next time.</p>\n'
    return start + note.encode() + end + rest if end else body
