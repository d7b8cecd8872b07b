"""WSGI middleware: counts each request until the last byte of its body was handed to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.http import flask
from runtime_exporter.http.exchange import KEY, SERVER_ERROR, Exchange
from runtime_exporter.http.guard import report
from runtime_exporter.http.middleware import Middleware
from runtime_exporter.http.routes import UNMATCHED
from runtime_exporter.http.sizes import Sizes, declared_length
from runtime_exporter.metrics.cells import FREE_THREADED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runtime_exporter.http.metrics import HTTPMetrics
    from runtime_exporter.http.middleware import RouteFunction
    from runtime_exporter.http.series import Key

    Environ = dict[str, Any]
    WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WSGIMiddleware(Middleware):
    """A WSGI application that calls `app` and counts what its requests cost.

    `metrics` is where to (this process's `default_metrics()` if None). `route` names the route of a request from its environ,
    where Flask and Django do not: it is called when the response starts, and None leaves the request unmatched. The number
    of routes is capped, so a bad function costs `other`, not memory. Constructing it does nothing; an application that is
    wrapped twice is counted once.
    """

    def __init__(
        self, app: WSGIApplication, metrics: HTTPMetrics | None = None, *, route: RouteFunction | None = None
    ) -> None:
        super().__init__(app, metrics, route)
        self._exchange: type[WSGIExchange] = WSGIExchange

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request as `app` does."""
        app = self.app
        exchange: WSGIExchange | None = None
        try:
            if KEY not in environ or environ[KEY].finished:  # else another of our middlewares counts it
                try:
                    method = self._methods[environ["REQUEST_METHOD"]]
                except KeyError:
                    method = self._prepared(environ.get("REQUEST_METHOD"))
                make = self._exchange
                begun = make()
                if self._sized:
                    begun.measure(environ)
                begun.server_start = start_response
                begun.method = method
                begun.where = environ
                begun.told = begun.series = begun.ended_as = None
                begun.finished = False
                clock = method.clock
                begun.started = clock()
                environ[KEY] = begun
                # Nothing comes after this that could fail.
                if FREE_THREADED:
                    method.gauge.inc()
                else:
                    method.floats[method.at] += 1.0
                exchange = begun
        except Exception as error:  # noqa: BLE001 - never into the host
            report("beginning a request", error)
        if exchange is None:
            return app(environ, start_response)  # type: ignore[no-any-return]
        try:
            body = app(environ, exchange.start_response)
        except BaseException as error:
            exchange.fail(error)
            raise
        return exchange.take(body)  # type: ignore[no-any-return]

    def name(self, where: Environ, key: Key) -> tuple[str, object]:  # noqa: ARG002 - the other middleware needs it
        """Return the name of a route, which is its key."""
        return (UNMATCHED if key is None else str(key)), ()

    def _prepare(self) -> None:
        super()._prepare()
        self._exchange = SizedExchange if self._sized else WSGIExchange
        self.prefixes = flask.mounts(self.app)
        flask.attach()


class WSGIExchange(Exchange):
    """One WSGI request: its `start_response`, and what becomes of its body."""

    __slots__ = ("server_start", "sizes")

    server_start: Callable[..., Any]
    sizes: Sizes
    """Only where bodies are measured."""

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        """Note what the response says of itself and pass it on; return the server's `write`."""
        self.start(status)
        server_start = self.server_start
        if exc_info is None:
            return server_start(status, headers)
        if exc_info:
            self.excepted_by(exc_info[1])
        return server_start(status, headers, exc_info)

    def key(self) -> Key:
        """Return the route's name where a user or Django told it, else Flask's rule."""
        environ = self.where
        route = self.method.route
        if route is not None:
            name = route(environ)
            if name is not None:
                return str(name)
        rule = self.told
        if rule is None:
            rule = flask.find(environ)
        prefixes = self.method.middleware.prefixes
        return flask.prefix(environ, prefixes) + rule if prefixes and rule is not None else rule

    def fail(self, error: BaseException) -> None:
        """Count the request as one that `error` ended: 500, also where the response had begun."""
        if not isinstance(error, GeneratorExit):
            self.ended_as = SERVER_ERROR
            self.excepted_by(error)
        self.finish()

    def take(self, body: Any) -> Any:
        """Return what the server gets for `body`, such that the end of the body ends the exchange."""
        if type(body) is list or type(body) is tuple or _is_whole(body):
            # The whole body is there and the application is done. Left as it is, the server still sees its length.
            self.finish()
            return body
        wrapper = self.where.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            # Wrapped, the server would no longer know it for a file, and not use sendfile(2).
            try:
                return _watch_close(body, self)
            except Exception as error:  # noqa: BLE001 - a server's own type, that takes no attributes
                report("watching a file", error)
        taken = Body()
        taken.body = body
        taken.exchange = self
        taken.parts = parts = self._parts(body)
        next(parts)
        return taken

    def measure(self, environ: Environ) -> None:
        """Count the bytes of the bodies, from before the application reads any."""
        self.sizes = Sizes()
        if "wsgi.input" in environ:
            environ["wsgi.input"] = _CountedInput(environ["wsgi.input"], self.sizes)

    def see(self, chunk: Any) -> None:
        """Take note of a part of the body."""

    def traceparent(self) -> str | None:
        """Return the W3C header of that name."""
        return self.where.get("HTTP_TRACEPARENT")

    def _parts(self, body: Any) -> Iterator[bytes]:
        return _parts(self, body)


class SizedExchange(WSGIExchange):
    """One WSGI request whose bodies are measured."""

    __slots__ = ()

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        """Note what the response says of itself and pass it on; return the server's `write`, counting."""
        try:
            self.sizes.declared = declared_length(headers)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a response's start", error)
        write = super().start_response(status, headers, exc_info)

        def counted(data: bytes) -> Any:
            self.see(data)
            return write(data)

        return counted

    def take(self, body: Any) -> Any:
        """Return what the server gets for `body`."""
        if type(body) is list or type(body) is tuple:
            for chunk in body:
                self.see(chunk)
        elif _is_whole(body):
            self.see(getattr(body, "content", b""))
        return super().take(body)

    def _parts(self, body: Any) -> Iterator[bytes]:
        return _seen_parts(self, body)

    def see(self, chunk: Any) -> None:
        """Count a part of the body."""
        try:
            self.sizes.sent += len(chunk)
        except TypeError as error:  # not bytes: the server will complain
            report("counting a body", error)

    def finish(self) -> None:
        """Count the request, and then its bodies."""
        if self.finished:
            return
        super().finish()
        self.sizes.count(self.method, self.series)


class Body:
    """What the server gets in the place of an application's iterable. `parts` is what it iterates over."""

    __slots__ = ("body", "exchange", "parts")

    body: Any
    exchange: WSGIExchange
    parts: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.parts

    def close(self) -> None:
        """Close the application's body, once, as the server asks; a body that was not exhausted ends here."""
        body, self.body = self.body, ()
        _close(getattr(body, "close", None), self.exchange)


def _parts(exchange: WSGIExchange, body: Any) -> Iterator[bytes]:
    """Yield nothing, for who makes it, and then the parts of a body; its end ends the exchange.

    Also where nobody reads it, as where a middleware answers something else: a generator that has begun is closed as it goes.
    """
    try:
        yield b""
        # Not "yield from": it would close the body where only the iterator is dropped, and the server closes it again.
        for chunk in body:  # noqa: UP028
            yield chunk
    except BaseException as error:
        exchange.fail(error)
        raise
    exchange.finish()


def _seen_parts(exchange: WSGIExchange, body: Any) -> Iterator[bytes]:
    """Do as `_parts` does, and count each part."""
    try:
        yield b""
        for chunk in body:
            exchange.see(chunk)
            yield chunk
    except BaseException as error:
        exchange.fail(error)
        raise
    exchange.finish()


def _is_whole(body: Any) -> bool:
    """Return whether a body is a response of Django's that has its content already."""
    try:
        return getattr(body, "streaming", True) is False
    except Exception:  # noqa: BLE001 - another's object, of which we ask what it may not have
        return False


def _watch_close(file: Any, exchange: WSGIExchange) -> Any:
    """Return `file`, whose `close()` ends the exchange from now on. Nobody sees its bytes: the declared length counts."""
    close = getattr(file, "close", None)
    file.close = lambda: _close(close, exchange)
    return file


def _close(close: Callable[[], object] | None, exchange: WSGIExchange) -> None:
    """Call an application's `close`, if it has one, and end the exchange."""
    try:
        if close is not None:
            close()
    except BaseException as error:
        exchange.excepted_by(error)
        raise
    finally:
        exchange.finish()


class _CountedInput:
    """A `wsgi.input` that counts what the application reads; in everything else it is the server's."""

    def __init__(self, stream: Any, sizes: Sizes) -> None:
        self._stream = stream
        self._sizes = sizes

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
        self._sizes.received += len(data or b"")
        return data

    def _counted_number(self, number: int | None) -> int | None:
        self._sizes.received += number or 0
        return number
