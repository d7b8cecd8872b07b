"""One HTTP request read by the standard library's parser, and its answer from a WSGI application."""

from __future__ import annotations

import io
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit
from wsgiref.handlers import SimpleHandler

from runtime_exporter.logs import LOGGER
from runtime_exporter.web.presence import GONE, has_left

if TYPE_CHECKING:
    import socket
    from types import TracebackType
    from wsgiref.headers import Headers

    from _typeshed.wsgi import WSGIApplication

SERVER_NAME = "runtime_exporter"
_LONGEST_LINE = 65536  # the limit of http.server
_DRAIN_BYTES = 1 << 16
_OK_TO_LOG = 20
_failures: set[str] = set()


class Clock(Protocol):
    """Who bounds the time that a client may take."""

    def expect_client(self) -> None:
        """Start the time in which the client has to do its part."""

    def expect_application(self) -> None:
        """Stop it."""


class Request(BaseHTTPRequestHandler):
    """A request on a connected socket. One, then the connection is closed: a scrape every 15 seconds gains nothing by keeping it."""

    protocol_version = "HTTP/1.0"  # what its own answers to malformed requests say, and that it keeps nothing alive
    default_request_version = "HTTP/1.0"  # of a request without one, which HTTP/0.9 would answer without a status
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"

    def __init__(self, client: socket.socket, clock: Clock, peer: str, *, https: bool) -> None:
        # Not the constructor of the superclass: it answers the request.
        self.request = client
        self.client_address = (peer, 0)
        self.clock = clock
        self.https = https
        self.command = self.requestline = self.request_version = ""

    def answer(self, app: WSGIApplication) -> None:
        """Read the request and answer it. Raises OSError when the client is gone or too slow."""
        self.setup()
        try:
            if self._read_head():
                self.clock.expect_application()
                self._run(app)
        finally:
            self.finish()

    def version_string(self) -> str:
        """Return the value of the Server header: no version, which is nobody's business."""
        return SERVER_NAME

    def log_message(self, *_: Any) -> None:
        """Write no line for a request."""

    def _read_head(self) -> bool:
        self.raw_requestline = self.rfile.readline(_LONGEST_LINE + 1)
        if len(self.raw_requestline) > _LONGEST_LINE:
            self.send_error(414)
            return False
        return bool(self.raw_requestline.strip()) and self.parse_request()

    def _run(self, app: WSGIApplication) -> None:
        environ: dict[str, Any] = {**self._environ(), GONE: partial(has_left, self.request)}
        body: Any = io.BufferedReader(_Body(self.rfile, _length(environ), self.clock))
        output: Any = self.wfile
        response = Response(body, output, io.StringIO(), environ, multithread=True, multiprocess=False)
        response.clock = self.clock
        response.run(app)
        # What the client sent and nobody read would make the kernel reset the connection, answer and all.
        body.read(_DRAIN_BYTES)

    def _environ(self) -> dict[str, str]:
        target = self.path if self.path.startswith("/") else urlsplit(self.path).path or "/"
        path, _, query = target.partition("?")
        name = self.request.getsockname()  # of a socket that is a file, its path
        host, port = name[:2] if isinstance(name, tuple) else ("localhost", 80)
        environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "iso-8859-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": str(self.client_address[0]),
        }
        if self.https:
            environ["HTTPS"] = "on"
        for name, value in self.headers.items():
            if "_" not in name:  # X_Y and X-Y would be the same variable
                _add_header(environ, name.upper().replace("-", "_"), value)
        return environ


class Response(SimpleHandler):
    """Runs the application; sends status, headers and the first part of the body in one piece."""

    server_software = SERVER_NAME
    http_version = "1.1"
    os_environ: dict[str, str] = {}  # noqa: RUF012 - as the superclass has it; the environment of the process is no part of a request
    error_body = b"500 Internal Server Error\n"
    clock: Clock
    headers: Headers
    _pending: tuple[bytes, ...] = ()

    def cleanup_headers(self) -> None:
        """Complete the headers."""
        super().cleanup_headers()
        self.headers["Connection"] = "close"

    def finish_content(self) -> None:
        """Send what is not sent: all of an answer without a body."""
        super().finish_content()
        self._flush()

    def _write(self, data: bytes) -> None:
        self._pending = (*self._pending, data)

    def _flush(self) -> None:
        if not self._pending:
            return
        data, self._pending = b"".join(self._pending), ()
        self.clock.expect_client()
        try:
            self.stdout.write(data)
        except OSError as error:
            raise ConnectionAbortedError from error  # what `run` knows to be the client's affair
        self.clock.expect_application()

    def log_exception(
        self, exc_info: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
    ) -> None:
        """Log the first failure of each kind: a scrape fails every 15 seconds, and once says it all."""
        kind = exc_info[0].__qualname__ if exc_info[0] else ""
        if kind not in _failures and len(_failures) < _OK_TO_LOG:
            _failures.add(kind)
            LOGGER.error("a request failed; further ones that fail so are not logged", exc_info=exc_info)


class _Body(io.RawIOBase):
    """The body of a request: as many bytes as Content-Length said, however much longer the connection stays open."""

    def __init__(self, file: Any, length: int, clock: Clock) -> None:
        super().__init__()
        self._file = file
        self._left = length
        self._clock = clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._left)
        if wanted == 0:
            return 0
        self._clock.expect_client()
        data = self._file.read1(wanted)
        self._clock.expect_application()
        buffer[: len(data)] = data
        self._left = self._left - len(data) if data else 0
        return len(data)


def _length(environ: dict[str, str]) -> int:
    text = environ.get("CONTENT_LENGTH", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0  # noqa: PLR2004 - a petabyte


def _add_header(environ: dict[str, str], name: str, value: str) -> None:
    key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
    environ[key] = f"{environ[key]},{value.strip()}" if key in environ else value.strip()
