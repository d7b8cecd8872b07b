"""What sends requests through an application, in one thread or in several, and the CPU time that they take.

Of many routes the last is asked for: "/items99/{id}" of 100. Requests have the headers of a browser. What a turn needs but is no request
stays between turns, as it does in a server: an event loop, and the threads. Making them took as long as many requests, and now more, now less.

Each turn begins at another depth of the stack. An application of 100 routes takes up to 5 % more or less by where its stack lies, to
some bytes, and that a middleware moves it by as many is no more than chance: a server has it at one place, in each version another.
"""

from __future__ import annotations

import asyncio
import atexit
import io
import random
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Drive = Callable[[Any, int, int], None]
    """Sends so many requests through an application that has so many routes."""
    Timed = Callable[[Any, int, int], float]
    """Does so, too, and returns the CPU seconds that it took."""

_T = TypeVar("_T")

HEADERS = (
    ("host", "shop.example"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("connection", "keep-alive"),
    ("cookie", "session=0123456789abcdef0123456789abcdef"),
    ("x-request-id", "7f3b0a2c-9a60-4a0e-8d0f-0d8c6b7f1a11"),
)


def drive_wsgi(app: Any, requests: int, routes: int) -> None:
    """Send requests through a WSGI application, as a server would."""

    def start(*_: Any) -> Callable[[bytes], object]:
        return lambda _: None

    path = f"/items{routes - 1}/1"
    named = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in HEADERS}
    for _ in range(requests):
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **named,
        }
        body = app(environ, start)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()


def drive_asgi(app: Any, requests: int, routes: int) -> None:
    """Send requests through an ASGI application, one after the other in the loop of this thread."""
    path = f"/items{routes - 1}/1"
    headers = [(name.encode(), value.encode()) for name, value in HEADERS]

    async def run() -> None:
        messages: list[Any] = []
        loop = asyncio.get_running_loop()

        async def receive() -> Any:
            # After its request a client says nothing: it stays as long as it takes.
            return messages.pop() if messages else await loop.create_future()

        async def send(_: Any) -> None:
            pass

        for _ in range(requests):
            messages[:] = [{"type": "http.request", "body": b"", "more_body": False}]
            scope = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "server": ("127.0.0.1", 80),
                "client": ("127.0.0.1", 50000),
                "scheme": "http",
                "method": "GET",
                "root_path": "",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "headers": [*headers],
                "state": {},
            }
            await app(scope, receive, send)

    _loop().run_until_complete(run())


_OWN = threading.local()


def _loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of this thread, which lives as long as the process."""
    if not hasattr(_OWN, "loop"):
        _OWN.loop = asyncio.new_event_loop()
        atexit.register(_OWN.loop.close)
    loop: asyncio.AbstractEventLoop = _OWN.loop
    return loop


_DEPTHS: Final = 32
"""Calls from C that a turn may be below. Each takes 528 bytes of stack (CPython 3.11), which spreads them over all places within 4,096."""


def timed(drive: Drive, threads: Threads | None = None) -> Timed:
    """Return `drive` with its requests spread over threads, and timed: without any the whole process, as a framework may have its own."""
    chance = random.Random(1)

    def alone(app: Any, requests: int, routes: int) -> float:
        def turn() -> float:
            begin = time.process_time()
            drive(app, requests, routes)
            return time.process_time() - begin

        return deep(chance.randrange(_DEPTHS), turn)

    def together(app: Any, requests: int, routes: int) -> float:
        assert threads is not None
        depth = chance.randrange(_DEPTHS)
        return threads.run(lambda: deep(depth, lambda: drive(app, requests // len(threads), routes)))

    return alone if threads is None else together


def deep(levels: int, work: Callable[[], _T]) -> _T:
    """Return what `work` returns, called so many calls deeper in the stack: calls from C, since those from Python take none of it."""
    return next(map(deep, (levels - 1,), (work,))) if levels else work()


class Threads:
    """So many threads that stay, and wait for work."""

    def __init__(self, count: int) -> None:
        self._work: list[SimpleQueue[Callable[[], object] | None]] = [SimpleQueue() for _ in range(count)]
        self._done: SimpleQueue[float | BaseException] = SimpleQueue()
        self._threads = [threading.Thread(target=self._stay, args=(work,), daemon=True) for work in self._work]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._threads)

    def run(self, work: Callable[[], object]) -> float:
        """Have each do this, and return the CPU seconds that it took them in all, by the clock of each. Raises what it raises."""
        for queue in self._work:
            queue.put(work)
        spent = 0.0
        for one in [self._done.get() for _ in self._work]:
            if isinstance(one, BaseException):
                raise one
            spent += one
        return spent

    def close(self) -> None:
        """End them."""
        for queue in self._work:
            queue.put(None)
        for thread in self._threads:
            thread.join()

    def _stay(self, queue: SimpleQueue[Callable[[], object] | None]) -> None:
        while (work := queue.get()) is not None:
            begin = time.thread_time()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
                self._done.put(error)
            else:
                self._done.put(time.thread_time() - begin)
