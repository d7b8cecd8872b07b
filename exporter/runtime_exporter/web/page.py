"""What a page of ours is: a function from what was asked to what is replied. WSGI ends at `app.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from runtime_exporter.web.presence import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
BINARY = "application/octet-stream"
_FIELDS = 1000


@dataclass(frozen=True)
class Ask:
    """A request: `rest` is what of the path follows the path of the page; `query` has every value of every name.

    `root` is where our application is mounted, to be put before the paths of links; `host` is the address as the client
    wrote it, such as "127.0.0.1:9464". `body` returns what was sent, up to so many bytes. `gone` tells
    whether the client has left without waiting for the answer, as far as the server knows.
    """

    method: str
    rest: str = ""
    query: Mapping[str, list[str]] = field(default_factory=dict)
    accept: str = ""
    root: str = ""
    host: str = ""
    content_type: str = ""
    body: Callable[[int], bytes] = lambda _: b""
    gone: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Reply:
    """An answer; `headers` are those beside Content-Type and Content-Length."""

    body: bytes
    content_type: str = TEXT
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    zipped: Callable[[], bytes] | None = None
    """Returns the body compressed, where somebody knows it already."""


@dataclass(frozen=True)
class Route:
    """A page and its path; with `subtree` also the page of every path below. A `title` puts it on the landing page."""

    path: str
    page: Callable[[Ask], Reply]
    methods: tuple[str, ...] = ("GET", "HEAD")
    subtree: bool = False
    title: str = ""


def text(content: str, status: int = 200) -> Reply:
    """Return a reply of plain text."""
    return Reply(content.encode(), TEXT, status)


def json_reply(content: object, status: int = 200) -> Reply:
    """Return a reply of JSON, for people and programs."""
    return Reply(json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n", JSON, status)


def html(content: str, status: int = 200, *, frames: bool = False) -> Reply:
    """Return a page that may load and run nothing; with `frames` it may show pages of ours in itself."""
    inside = "frame-src 'self'; " if frames else ""
    policy = (
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'unsafe-inline'; {inside}frame-ancestors 'none'",
    )
    return Reply(content.encode(), HTML, status, (policy,))


def ask_of(environ: Mapping[str, Any], rest: str) -> Ask:
    """Return the request in a WSGI environment. Raises ValueError for a query of too many fields."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True, max_num_fields=_FIELDS)
    return Ask(
        environ["REQUEST_METHOD"],
        rest,
        query,
        accept=environ.get("HTTP_ACCEPT", ""),
        root=environ.get("SCRIPT_NAME", ""),
        host=environ.get("HTTP_HOST", ""),
        content_type=environ.get("CONTENT_TYPE", ""),
        body=lambda most: _body(environ, most),
        gone=environ.get(GONE, lambda: False),
    )


def _body(environ: Mapping[str, Any], most: int) -> bytes:
    """Return as much of the body as there is, `most` bytes at most: a server may let one wait for more than was announced."""
    written = str(environ.get("CONTENT_LENGTH") or "")
    length = int(written) if written.isascii() and written.isdigit() else 0
    body: bytes = environ["wsgi.input"].read(min(length, most)) if length else b""
    return body
