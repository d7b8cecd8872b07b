"""Count requests in interpreters of their own, as mod_wsgi has, each of which ends with requests in flight, and then in this one.

    python tests/interpreters_that_count.py

Prints, for each of them, how many were counted and what is not compiled.
"""

from __future__ import annotations

import contextlib
import sys

from runtime_exporter.http import ASGIMiddleware, HTTPMetrics, WSGIMiddleware, compiled

try:
    import _interpreters as interpreters
except ImportError:  # before Python 3.13
    import _xxsubinterpreters as interpreters

REQUESTS = 10
in_flight = []
"""What lives until its interpreter has ended."""


class Wait:
    """Awaited, it waits until somebody goes on with the coroutine."""

    def __await__(self):
        yield


def by_wsgi(_environ, start_response):
    start_response("200 OK", [])
    return [b"x"]


async def by_asgi(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200})
    await Wait()
    await send({"type": "http.response.body"})


async def server(_message):
    pass


class Late:
    """Goes on with a request when nobody has it any more."""

    def __init__(self, wsgi, begun):
        self.wsgi = wsgi
        self.begun = begun
        self.itself = self

    def __del__(self):
        go_on(self.begun)
        self.wsgi({"REQUEST_METHOD": "GET"}, lambda *_: None)


def go_on(begun):
    with contextlib.suppress(StopIteration, RuntimeError):  # the one that says that it has been closed
        begun.send(None)


def serve():
    """Count requests, and leave some that have begun."""
    metrics = HTTPMetrics()
    wsgi, asgi = WSGIMiddleware(by_wsgi, metrics), ASGIMiddleware(by_asgi, metrics)

    def begun():
        call = asgi({"type": "http", "method": "GET"}, None, server)
        call.send(None)
        return call

    for _ in range(REQUESTS):
        wsgi({"REQUEST_METHOD": "GET"}, lambda *_: None)
        go_on(begun())
    counts = [point.value for point in metrics.families[0].collect()[0].samples if point.name.endswith("_count")]
    print(*counts, *compiled.absent, flush=True)
    in_flight.extend([begun(), Late(wsgi, begun())])


def within(*kind):
    """Let another interpreter serve, and end."""
    code = f"import sys; sys.path[:] = {sys.path!r}; import interpreters_that_count as it; it.serve()"
    interpreter = interpreters.create(*kind)
    failed = getattr(interpreters, "exec", interpreters.run_string)(interpreter, code)
    assert failed is None, failed
    interpreters.destroy(interpreter)


if __name__ == "__main__":
    kinds = [("legacy",), ("isolated",)] if sys.version_info >= (3, 13) else [(), ()]
    for kind in kinds:
        within(*kind)
    serve()
