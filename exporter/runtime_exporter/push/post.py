"""One POST to one server: with its credentials, to nobody else whatever it answers, and with a bound on the time."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.deadline import Deadline
from runtime_exporter.errors import ConfigError, ExporterError
from runtime_exporter.logs import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIMEOUT_SECONDS: Final = 10.0
"""For each piece of what is sent and answered."""
_PATIENCE: Final = 3
"""So many times as long for all of it: a server may be slow, and may not hold us for ever."""
_LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_LONGEST_ANSWER: Final = 4096


class RefusedError(ExporterError):
    """The server does not take this request, and would not take it later either."""


class UnavailableError(ExporterError):
    """The request may be taken later; `after` is how many seconds the server asks to wait, 0 where it does not say."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Server:
    """A server at `url`, which other paths are below. `headers` are asked for each time.

    A proxy is taken from the environment, as are certificates (SSL_CERT_FILE): see urllib.request and ssl.
    """

    def __init__(
        self, url: str, headers: Callable[[], Mapping[str, str]] = dict, *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = headers
        self._timeout = timeout
        self._opener: urllib.request.OpenerDirector | None = None

    def post(self, path: str, content_type: str, body: bytes) -> None:
        """Send a request. Raises RefusedError and UnavailableError, with a line that has no secret in it."""
        try:
            headers = {"Content-Type": content_type, **self._headers()}
        except ConfigError as error:  # a secret that is being rotated
            raise UnavailableError(str(error)) from None
        with Deadline(_PATIENCE * self._timeout) as deadline:
            request = _Request(f"{self._url}{path}", body, headers, method="POST")
            request.deadline = deadline
            try:
                self._open(request).close()  # with its status all is said
            except urllib.error.HTTPError as error:
                raise _failure(error) from None
            except (OSError, http.client.HTTPException) as error:
                raise UnavailableError(f"the server cannot be asked: {deadline.ended or _cause(error)}") from None

    def _open(self, request: urllib.request.Request) -> Any:
        opener = self._opener = self._opener or urllib.request.build_opener(_Nowhere, _Plain, _Secure)
        return opener.open(request, timeout=self._timeout)


class _Request(urllib.request.Request):
    """A request whose connection is shut down at a deadline. Its scheme is checked where the setting is read."""

    deadline: Deadline


class _PlainConnection(http.client.HTTPConnection):
    """A connection that tells a deadline of its socket."""

    deadline: Deadline

    def connect(self) -> None:
        """Connect."""
        super().connect()
        self.deadline.watch(self.sock)


class _SecureConnection(_PlainConnection, http.client.HTTPSConnection):
    """The same over TLS."""


class _Plain(urllib.request.HTTPHandler):
    """Opens such connections."""

    def http_open(self, request: Any) -> http.client.HTTPResponse:
        """Return the answer."""
        return self.do_open(_telling(_PlainConnection, request.deadline), request)


class _Secure(urllib.request.HTTPSHandler):
    """Opens such connections over TLS."""

    def https_open(self, request: Any) -> http.client.HTTPResponse:
        """Return the answer."""
        return self.do_open(_telling(_SecureConnection, request.deadline), request)


def _telling(kind: type[_PlainConnection], deadline: Deadline) -> Callable[..., _PlainConnection]:
    def make(host: str, **options: Any) -> _PlainConnection:
        made = kind(host, **options)
        made.deadline = deadline
        return made

    return make


class _Nowhere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the credentials are for the server that was named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Let the redirect be the answer."""
        return


def _failure(error: urllib.error.HTTPError) -> RefusedError | UnavailableError:
    with error:
        said = _first_line(error)
        message = f"the server says {error.code} {said or printable(error.reason)}".strip()
        if error.code in _LATER or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return UnavailableError(message, _seconds(error.headers.get("Retry-After", "")))
    return RefusedError(message)


def _first_line(error: urllib.error.HTTPError) -> str:
    try:
        text = error.read(_LONGEST_ANSWER).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return ""
    return printable(text.partition("\n")[0])


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After; its other form, a date, is not worth a clock that agrees with the server's."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0


def _cause(error: Exception) -> str:
    """Return the reason inside an URLError, or the error's own."""
    reason = getattr(error, "reason", None)
    inner = reason if isinstance(reason, Exception) else error
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
