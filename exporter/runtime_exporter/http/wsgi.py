"""WSGI middleware: counts each request until the last byte of its body was handed to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.http import django, flask
from runtime_exporter.http.exchange import KEY, SERVER_ERROR, Exchange, declared_length
from runtime_exporter.http.guard import report
from runtime_exporter.http.metrics import default_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runtime_exporter.http.exchange import FindRoute
    from runtime_exporter.http.metrics import HTTPMetrics

    Environ = dict[str, Any]
    RouteFunction = Callable[[Environ], str | None]
    WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WSGIMiddleware:
    """A WSGI application that calls `app` and counts what its requests cost.

    `metrics` is where to (this process's `default_metrics()` if None). `route` names the route of a request from its environ,
    where Flask and Django do not: it is called when the response starts, and None leaves the request unmatched. The number
    of routes is capped, so a bad function costs `other`, not memory. Constructing it does nothing; an application that is
    wrapped twice is counted once.
    """

    def __init__(
        self, app: WSGIApplication, metrics: HTTPMetrics | None = None, *, route: RouteFunction | None = None
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.route = route
        self._mounts: tuple[str, ...] = ()
        self._ready = False

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request as `app` does."""
        exchange = self._begin(environ, start_response)
        if exchange is None:
            return self.app(environ, start_response)
        try:
            body = self.app(environ, exchange.start_response)
        except BaseException as error:
            exchange.fail(error)
            raise
        result: Iterable[bytes] = exchange.take(body)
        return result

    def find(self, environ: Environ, known: str | None) -> str | None:
        """Return the route of a request whose response starts now; `known` is what a framework's hook has told."""
        if self.route is not None:
            name = self.route(environ)
            if name is not None:
                return str(name)
        rule = known or flask.find(environ)
        return flask.prefix(environ, self._mounts) + rule if rule is not None and self._mounts else rule

    def _begin(self, environ: Environ, start_response: Callable[..., Any]) -> WSGIExchange | None:
        """Return the exchange of a new request, or None where another of our middlewares counts it already."""
        try:
            if not self._ready:
                self._prepare()
            outer = environ.get(KEY)
            if outer is not None and not outer.finished:
                return None
            assert self.metrics is not None  # noqa: S101 - _prepare() chose it
            exchange = WSGIExchange(self.metrics, environ, self.find, start_response)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("beginning a request", error)
            return None
        environ[KEY] = exchange
        if exchange.metrics.body_sizes and "wsgi.input" in environ:
            environ["wsgi.input"] = _CountedInput(environ["wsgi.input"], exchange)
        return exchange

    def _prepare(self) -> None:
        """Do at the first request what a constructor must not: choose the metrics, hook the frameworks that are loaded."""
        if self.metrics is None:
            self.metrics = default_metrics()
        self._mounts = tuple(flask.mounts(self.app))
        flask.attach()
        django.attach()
        self._ready = True


class WSGIExchange(Exchange):
    """One WSGI request: its `start_response`, and then the iterable that the server gets as the body."""

    __slots__ = ("_body", "_server_start")

    def __init__(
        self, metrics: HTTPMetrics, environ: Environ, find: FindRoute, start_response: Callable[..., Any]
    ) -> None:
        super().__init__(metrics, environ.get("REQUEST_METHOD"), environ, find)
        self._server_start = start_response
        self._body: Any = ()

    def start_response(self, status: Any, headers: Any, *exc_info: Any) -> Any:
        """Note what the response says of itself and pass it on; return the server's `write`."""
        try:
            self.status = status[:3]
            self.learn(self.where.get("HTTP_TRACEPARENT"))
            if exc_info and exc_info[0]:
                self.excepted_by(exc_info[0][1])
            if self.metrics.body_sizes:
                self.declared_bytes = declared_length(headers)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a response's start", error)
        write = self._server_start(status, headers, *exc_info)
        return self._counted(write) if self.metrics.body_sizes else write

    def fail(self, error: BaseException) -> None:
        """Count the request as one that `error` ended: 500, also where the response had begun."""
        if not isinstance(error, GeneratorExit):
            self.learn(self.where.get("HTTP_TRACEPARENT"))
            self.status = SERVER_ERROR
            self.excepted_by(error)
        self.finish()

    def take(self, body: Any) -> Any:
        """Return what the server gets for `body`, such that the end of the body ends the exchange."""
        if type(body) in (list, tuple):
            # The whole body is there and the application is done. Left as it is, the server still sees its length.
            if self.metrics.body_sizes:
                self._count_bytes(body)
            self.finish()
            return body
        if self._is_file(body):
            # Wrapped, the server would no longer know it for a file, and not use sendfile(2).
            try:
                return self._watch_close(body)
            except Exception as error:  # noqa: BLE001 - a server's own type, that takes no attributes
                report("watching a file", error)
        self._body = body
        return self

    # The body.

    def __iter__(self) -> Iterator[bytes]:
        sizes = self.metrics.body_sizes
        try:
            # Not "yield from": it would close the body where only the iterator is dropped, and the server closes it again.
            for chunk in self._body:
                if sizes:
                    self._count_bytes((chunk,))
                yield chunk
        except BaseException as error:
            self.fail(error)
            raise
        self.finish()

    def close(self) -> None:
        """Close the application's body, once, as the server asks; a body that was not exhausted ends here."""
        body, self._body = self._body, ()
        try:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self.excepted_by(error)
            raise
        finally:
            self.finish()

    def __del__(self) -> None:
        # A body that was neither read nor closed, as by a middleware that answers something else, is not active for ever.
        if not self.finished:
            self.finish()

    def _watch_close(self, file: Any) -> Any:
        """Return `file`, whose `close()` ends the exchange from now on. Nobody sees its bytes: the declared length counts."""
        close = getattr(file, "close", None)
        self._body = _Closing(close)
        file.close = self.close
        return file

    def _is_file(self, body: object) -> bool:
        wrapper = self.where.get("wsgi.file_wrapper")
        return isinstance(wrapper, type) and isinstance(body, wrapper)

    def _counted(self, write: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def counted(data: bytes) -> Any:
            self._count_bytes((data,))
            return write(data)

        return counted

    def _count_bytes(self, chunks: Iterable[bytes]) -> None:
        try:
            self.response_bytes += sum(map(len, chunks))
        except TypeError as error:  # not bytes: the server will complain
            report("counting a body", error)


class _Closing:
    """Has nothing but the `close()` of a file that was replaced."""

    def __init__(self, close: Callable[[], None] | None) -> None:
        self.close = close


class _CountedInput:
    """A `wsgi.input` that counts what the application reads; in everything else it is the server's."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def __getattr__(self, name: str) -> Any:
        # Beyond PEP 3333: what the server's stream has of an io.RawIOBase, and nothing that it does not have.
        found = getattr(self._stream, name)
        if name in ("read1", "readall"):
            return lambda *size: self._counted(found(*size))
        if name in ("readinto", "readinto1"):
            return lambda buffer: self._counted_number(found(buffer))
        return found

    def __iter__(self) -> Iterator[bytes]:
        return map(self._counted, self._stream)

    def read(self, *size: Any) -> bytes:
        """Read as the server's stream does."""
        return self._counted(self._stream.read(*size))

    def readline(self, *size: Any) -> bytes:
        """Read a line as the server's stream does."""
        return self._counted(self._stream.readline(*size))

    def readlines(self, *hint: Any) -> list[bytes]:
        """Read lines as the server's stream does."""
        return [self._counted(line) for line in self._stream.readlines(*hint)]

    def _counted(self, data: bytes) -> bytes:
        self._exchange.request_bytes += len(data or b"")
        return data

    def _counted_number(self, number: int | None) -> int | None:
        self._exchange.request_bytes += number or 0
        return number
