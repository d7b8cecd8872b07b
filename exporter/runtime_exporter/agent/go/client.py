"""Asks one service over HTTP, within limits that hold: of time in all, of bytes, of redirects."""

from __future__ import annotations

import http.client
import ssl
import threading
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from runtime_exporter.agent.go.address import address
from runtime_exporter.deadline import Deadline
from runtime_exporter.errors import ProfileError
from runtime_exporter.logs import printable
from runtime_exporter.profiling.pprof import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runtime_exporter.agent.go.address import Address

PATIENCE_SECONDS: Final = 10.0
"""For an answer, all of it, beyond the time that the profile itself takes."""
_REDIRECTS: Final = 3
_LATER: Final = 1.0
_PIECE: Final = 1 << 16
_GZIP: Final = 16 + zlib.MAX_WBITS
_FIRST_WORDS: Final = 200
_OK: Final = 200


class Answer(NamedTuple):
    """What a service said."""

    status: int
    reason: str
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it is what was asked for."""
        return self.status == _OK

    @property
    def words(self) -> str:
        """The status and the first line of a refusal, for people."""
        first = self.body[:_FIRST_WORDS].decode("utf-8", "replace").strip().split("\n")[0].strip()
        said = first if first.isprintable() and not first.startswith("<") else ""
        return f"{self.status} {said or printable(self.reason)}".strip()


class Client:
    """GET from one service. Proxies of the environment are not used. May be used by several threads.

    authorization: what is sent as that header, asked for at each request, since a file may have a new password; it may raise
    ExporterError. context: trust in a private authority, and a client certificate. patience: see PATIENCE_SECONDS.
    """

    def __init__(
        self,
        *,
        authorization: Callable[[], str] | None = None,
        context: ssl.SSLContext | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._authorization = authorization
        self._context = context
        self._patience = patience
        self._lock = threading.Lock()
        self._under_way: set[Deadline] = set()
        self._closed = False

    def get(
        self,
        where: Address,
        path: str,
        query: Mapping[str, str],
        *,
        seconds: float = 0.0,
        limit: int = LIMIT,
        unwanted: Callable[[], bool] | None = None,
    ) -> Answer:
        """Return the answer, whatever its status; `seconds` is how long the service works on it.

        Raises ProfileError where there is none: not in time, more than `limit` bytes, a redirect to somebody else, or `unwanted`.
        """
        here, target = (
            where,
            where.prefix + path + (f"?{urlencode(query)}" if query else ""),
        )
        for _ in range(_REDIRECTS + 1):
            answer, location = self._ask(here, target, Deadline(seconds + self._patience, unwanted), limit)
            if not location:
                return answer
            here, target = _followed(here, target, location)
        raise ProfileError(f"{where}{path}: more than {_REDIRECTS} redirects")

    def close(self) -> None:
        """End what is under way: who waits gets a ProfileError. Nothing can be asked afterwards."""
        with self._lock:
            self._closed = True
            under_way = [*self._under_way]
        for deadline in under_way:
            deadline.end("closed")

    def _ask(self, here: Address, target: str, deadline: Deadline, limit: int) -> tuple[Answer, str]:
        shown = f"{here._replace(prefix='')}{target.partition('?')[0]}"
        headers = {"User-Agent": "runtime-exporter", "Accept-Encoding": "identity", "Connection": "close"}
        if self._authorization is not None:
            headers["Authorization"] = self._authorization()
        exchange = _Exchange(here, self._patience, deadline, self._context)
        try:
            with self._known(deadline), deadline:
                return exchange.run(target, headers, limit)
        except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
            raise ProfileError(f"{shown}: {deadline.ended or _reason(error)}") from None
        except ProfileError as error:
            raise ProfileError(f"{shown}: {error}") from None

    @contextmanager
    def _known(self, deadline: Deadline) -> Iterator[None]:
        """Let `close` know of an exchange as long as it lasts."""
        with self._lock:
            if self._closed:
                raise ProfileError("closed")
            self._under_way.add(deadline)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard(deadline)


class _Exchange:
    """One request and its answer, on a connection of its own, that the deadline or somebody else can end at any moment."""

    def __init__(self, here: Address, patience: float, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        self._deadline = deadline
        self._connection = (
            http.client.HTTPSConnection(here.host, here.port, timeout=patience, context=context)
            if here.scheme == "https"
            else http.client.HTTPConnection(here.host, here.port, timeout=patience)
        )

    def run(self, target: str, headers: dict[str, str], limit: int) -> tuple[Answer, str]:
        """Return the answer and where it redirects to, if it does. Raises OSError and the like."""
        try:
            self._connection.connect()
            connected = self._connection.sock  # the connection forgets it before the answer is read
            self._deadline.watch(connected)
            connected.settimeout(self._deadline.seconds + _LATER)  # the deadline is first, and says what it was
            self._connection.request("GET", target, headers=headers)
            with self._connection.getresponse() as response:
                body = b"".join(self._pieces(response, limit))
            if self._deadline.ended:  # what is read until the connection closes looks whole
                raise ProfileError(self._deadline.ended)
            location = response.headers.get("Location", "") if response.status in (301, 302, 303, 307, 308) else ""
            return Answer(response.status, response.reason, body), location
        finally:
            self._connection.close()

    def _pieces(self, response: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in {"identity", "gzip", ""}:
            raise ProfileError(f"answers in {encoding}, which was not asked for")
        decompressor = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
        left = limit
        while left >= 0 and (piece := response.read1(_PIECE)):
            part = piece if decompressor is None else decompressor.decompress(piece, left + 1)
            left -= len(part)
            yield part
        if left < 0:
            raise ProfileError(f"answers with more than {limit} bytes")
        if response.length or (decompressor is not None and not decompressor.eof):
            raise ProfileError("the answer is cut off")


def _followed(here: Address, target: str, location: str) -> tuple[Address, str]:
    """Return where a redirect leads: to the same service, or to its TLS. The password is for nobody else."""
    base = here._replace(prefix="")
    parts = urlsplit(location)
    path = parts.path if parts.path.startswith("/") else target.partition("?")[0].rpartition("/")[0] + "/" + parts.path
    path += f"?{parts.query}" if parts.query else ""
    if not parts.netloc:
        return base, path
    try:
        there = address(f"{parts.scheme or here.scheme}://{parts.netloc}")
    except ProfileError:
        raise ProfileError(f"{base}: a redirect that cannot be followed") from None
    upgraded = here.scheme == "http" and there.scheme == "https" and there.host == here.host
    if there != base and not upgraded:
        raise ProfileError(
            f"{base} redirects to {printable(str(there))}: if that is the service, name it as the target's url"
        )
    return there, path


def _reason(error: Exception) -> str:
    """Return in a few words why there is no answer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer is cut off"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
