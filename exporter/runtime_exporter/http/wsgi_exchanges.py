"""What becomes of one WSGI request: its `start_response`, and what the server gets in the place of its body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http import django, flask, trace
from runtime_exporter.http.exchange import SERVER_ERROR, Exchange
from runtime_exporter.http.guard import report
from runtime_exporter.http.sizes import CountedInput, Sizes, declared_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runtime_exporter.http.series import Key

    Environ = dict[str, Any]

WHOLE: Final[set[type]] = {list, tuple}
"""Types of bodies that are there as a whole: these two, and those of Django's responses that were seen."""

_WHOLE_LIMIT: Final = 100  # an application may make types as it runs


class WSGIExchange(Exchange):
    """One WSGI request: its `start_response`, and what becomes of its body."""

    __slots__ = ("server_start", "sizes")

    server_start: Callable[..., Any]
    sizes: Sizes
    """Only where bodies are measured."""

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        """Note what the response says of itself and pass it on; return the server's `write`."""
        method = self.method
        # As `start` and `key`, spelt out: within a large framework each step of the interpreter and each function counts.
        try:
            if method.traced:
                self.span = trace.current()
            environ = self.where
            key: Key = self.told
            if key is None and "werkzeug.request" in environ:
                rule = environ["werkzeug.request"].url_rule
                if rule is not None:
                    key = rule.rule
            try:
                self.series = method.known[key][status]
            except KeyError:
                self.series = method.learn(environ, key, status)
        except Exception:  # noqa: BLE001 - the other way says what it is
            self.start(status)
        server_start = self.server_start
        if exc_info is None:
            return server_start(status, headers)
        return self._start_anew(status, headers, exc_info)

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
        if self._is_whole(body):
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
            environ["wsgi.input"] = CountedInput(environ["wsgi.input"], self.sizes)

    def see(self, chunk: Any) -> None:
        """Take note of a part of the body."""

    def traceparent(self) -> str | None:
        """Return the W3C header of that name."""
        return self.where.get("HTTP_TRACEPARENT")

    def _start_anew(self, status: Any, headers: Any, exc_info: Any) -> Any:
        """Count the exception that a response is of instead of another, and pass it on; return the server's `write`."""
        if exc_info:
            self.excepted_by(exc_info[1])
        server_start = self.server_start
        return server_start(status, headers, exc_info)

    def _is_whole(self, body: Any) -> bool:
        return _is_whole(body) or flask.is_whole(body)

    def _parts(self, body: Any) -> Iterator[bytes]:
        return _parts(self, body)


class NamedExchange(WSGIExchange):
    """One WSGI request whose route a user's function names, or that comes through a dispatcher which has taken a prefix."""

    __slots__ = ()

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        """Note what the response says of itself and pass it on; return the server's `write`."""
        self.start(status)
        server_start = self.server_start
        if exc_info is None:
            return server_start(status, headers)
        return self._start_anew(status, headers, exc_info)


class SizedExchange(NamedExchange):
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
        elif self._is_whole(body):
            self.see(getattr(body, "content", b""))
        return super().take(body)

    def _is_whole(self, body: Any) -> bool:
        return _is_whole(body)  # werkzeug's go to the server through what counts their bytes

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
    """Return whether a body is of a type that is there as a whole."""
    kind = type(body)
    if kind in WHOLE:
        return True
    if not django.is_whole(kind):
        return False
    if len(WHOLE) < _WHOLE_LIMIT:
        WHOLE.add(kind)
    return True


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
