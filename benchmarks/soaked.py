"""The program that benchmarks/soak.py looks at: a service of which everything comes and goes, in a time that runs faster.

`python -m benchmarks.soaked DIRECTORY SECONDS HOURS MINUTES profiled|plain` prints a line of JSON for each look at itself, one in so many
minutes. The time of day runs so much faster that `HOURS` of it are over in `SECONDS`, if what happens in them can be done so fast;
profiles are taken once a minute of it, and collectors in the background come as often as they would. What happens in a minute:
requests, failures, labels, threads, tasks, worker processes, scrapes and pages.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_REAL_TIME = time.time
_REQUESTS, _LABELS, _THREADS, _TASKS, _SCRAPES = 40, 20, 12, 30, 4
_KEPT_LABELS = 50
_ROUTES = 400
"""More than may be told apart, all of them in ten minutes."""
_WORKERS_EVERY, _PAGES_EVERY = 2, 5
_PAGES = (
    "/",
    "/health",
    "/debug/pprof/goroutine?debug=1",
    "/debug/config",
    "/profiles",
    "/api/v1/profiles",
    "/nowhere",
)
_PROFILE_BYTES = 2_000_000


class Look(NamedTuple):
    """The process at a moment: simulated hours since the start, and what it has."""

    hours: float
    resident: int
    """Bytes."""
    blocks: int
    """Of Python's allocator, after a collection."""
    descriptors: int
    threads: int
    series: int
    profiles: int
    """Files of profiles, and their bytes."""
    profile_bytes: int
    shared: int
    """Files in the run directory, and their bytes."""
    shared_bytes: int
    workers: int
    """Worker processes that there have been."""


class Day:
    """A time of day that runs `speed` times as fast, and waits at the end of a minute until what happens in it is done."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._minute, self._begin = _REAL_TIME(), _REAL_TIME()

    def next_minute(self) -> None:
        """Begin the next one."""
        self._minute, self._begin = self._minute + 60, _REAL_TIME()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._minute + min((_REAL_TIME() - self._begin) * self._speed, 59.9)


def hurry(speed: float) -> Day:
    """Let the time of day be another. Before anything of ours is imported, which takes the clock as it is."""
    day = Day(speed)
    time.time = day.now
    time.time_ns = lambda: int(day.now() * 1e9)
    return day


class Service:
    """What churns. Made after `hurry`."""

    def __init__(self, directory: Path, speed: float, *, profiled: bool = True) -> None:
        from runtime_exporter import ASGIMiddleware, WSGIMiddleware
        from runtime_exporter.exporter import Exporter
        from runtime_exporter.metrics import Counter, Gauge, Histogram
        from runtime_exporter.metrics.workers import Merged, join
        from runtime_exporter.settings import load

        self.profiles, self.shared = directory / "profiles", directory / "shared"
        self.shared.mkdir()
        self.worker = join(self.shared)
        self.merged = Merged(self.shared)
        self.exporter = Exporter(
            load(
                {
                    "address": "127.0.0.1",
                    "port": 0,
                    "log_level": "error",
                    "profiling": profiled,
                    "profile_directory": str(self.profiles),
                    "profile_bytes_limit": _PROFILE_BYTES,
                    "profile_locks": profiled,
                    # Nothing is to be rarer than it would be in the time that is simulated.
                    "overhead_budget": 1.0,
                }
            )
        )
        for collector in self.exporter._supervisor.collectors.values():
            if collector.interval is not None:
                collector.interval /= speed
        if self.exporter.profiling.continuous is not None:
            self.exporter.profiling.continuous.interval /= speed
        self.exporter.start()
        self.wsgi = WSGIMiddleware(answering, route=lambda environ: environ["PATH_INFO"].rpartition("/")[0])
        self.asgi = ASGIMiddleware(answering_later)
        self.orders = Counter("shop_orders_total", "x", ["customer"])
        self.carts = Gauge("shop_carts", "x", ["customer"])
        self.waits = Histogram("shop_wait_seconds", "x", ["customer"])
        self.workers = 0

    def minute(self, number: int) -> None:
        """Let all that happen which happens in a minute."""
        for turn in range(_REQUESTS):
            self.request(number * _REQUESTS + turn)
        self.label(number)
        threads = [threading.Thread(target=spin, name=f"job-{number}-{turn}") for turn in range(_THREADS)]
        for thread in threads:
            thread.start()
        asyncio.run(self.tasks(number))
        for thread in threads:
            thread.join()
        for turn in range(_SCRAPES):
            self.page("/metrics", "application/openmetrics-text" if turn % 2 else "text/plain")
        if number % _PAGES_EVERY == 0:
            self.page(_PAGES[number // _PAGES_EVERY % len(_PAGES)])
        if number % _WORKERS_EVERY == 0:
            self.one_worker(killed=bool(number // _WORKERS_EVERY % 2))
        self.worker.tick()
        self.merged.collected_families()

    def request(self, number: int) -> None:
        """Answer a request of one of ever new routes; some fail."""
        route = number % _ROUTES
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": f"/shop/{route}/x",
            "wsgi.input": None,
            "fails": route % 10 == 0,
        }
        with suppress(ValueError):
            for _ in self.wsgi(environ, lambda *_: None):
                pass

    def label(self, number: int) -> None:
        """Let customers come, and those who came long ago go."""
        for turn in range(_LABELS):
            customer = str(number * _LABELS + turn)
            gone = str(number * _LABELS + turn - _KEPT_LABELS)
            self.orders.labels(customer).inc()
            self.carts.labels(customer).set(3)
            self.waits.labels(customer).observe(0.1)
            for metric in (self.orders, self.carts, self.waits):
                with suppress(KeyError):
                    metric.remove(gone)

    async def tasks(self, number: int) -> None:
        """Have tasks of ever new names, some of which end by themselves and some are cancelled, and a request of each kind."""

        async def work(turn: int) -> None:
            await asyncio.sleep(0 if turn % 3 else 60)

        made = [asyncio.create_task(work(turn), name=f"task-{number}-{turn}") for turn in range(_TASKS)]
        scope: Any = {"type": "http", "method": "GET", "path": f"/later/{number}", "headers": []}

        async def nothing(*_: object) -> Any:
            return {"type": "http.request"}

        await self.asgi(scope, nothing, nothing)
        await asyncio.sleep(0)
        for task in made:
            task.cancel()
        await asyncio.gather(*made, return_exceptions=True)

    def page(self, path: str, accept: str = "text/html") -> None:
        """Ask for a page of the exporter."""
        request = urllib.request.Request(f"{self.exporter.url}{path}", headers={"Accept": accept})
        with suppress(OSError), urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()

    def one_worker(self, *, killed: bool) -> None:
        """Fork a worker that counts and ends, by itself or by SIGKILL in the middle of it."""
        child = os.fork()
        if child == 0:
            try:
                for number in range(1_000_000 if killed else 200):
                    self.orders.labels(str(number % 20)).inc()
            finally:
                os._exit(0)
        if killed:
            time.sleep(0.005)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.workers += 1

    def look(self, hours: float) -> Look:
        """Return what there is now."""
        from runtime_exporter.collectors.exporter import series_in
        from runtime_exporter.metrics.exposition import TEXT

        gc.collect()
        profiles, shared = _sizes(self.profiles), _sizes(self.shared)
        return Look(
            hours=hours,
            resident=int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"),
            blocks=sys.getallocatedblocks(),
            descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - a count
            threads=len(os.listdir("/proc/self/task")),  # noqa: PTH208 - a count
            series=series_in(self.exporter.expose(TEXT)),
            profiles=len(profiles),
            profile_bytes=sum(profiles),
            shared=len(shared),
            shared_bytes=sum(shared),
            workers=self.workers,
        )


def _sizes(directory: Path) -> list[int]:
    sizes = []
    for path in directory.rglob("*"):
        with suppress(OSError):  # gone meanwhile
            if path.is_file():
                sizes.append(path.stat().st_size)
    return sizes


def answering(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer a request, or fail."""
    if environ["fails"]:
        raise ValueError("as it was to be")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return _parts()


def _parts() -> Iterator[bytes]:
    yield b"some"
    yield b"thing"


async def answering_later(_scope: object, _receive: object, send: Callable[..., Any]) -> None:
    """Answer a request of the other kind."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"something"})


def spin() -> None:
    """Do something, with a lock that is profiled."""
    lock = threading.Lock()
    with lock:
        sum(range(2000))


def main() -> None:
    """Be that service for so long, and look at it now and then."""
    directory, seconds, hours, every = Path(sys.argv[1]), *map(float, sys.argv[2:5])
    minutes = round(hours * 60)
    speed = hours * 3600 / seconds
    day = hurry(speed)
    service = Service(directory, speed, profiled=sys.argv[5] == "profiled")
    began = time.monotonic()
    for minute in range(1, minutes + 1):
        service.minute(minute)
        # What is too fast for the time that is simulated waits for it; what is too slow goes on.
        time.sleep(max(0.0, began + minute * 60 / speed - time.monotonic()))
        day.next_minute()
        if minute % every == 0:
            print(json.dumps(service.look(minute / 60)._asdict()), flush=True)
    service.exporter.close()
    service.merged.close()
    service.worker.leave()
    gc.collect()
    print(json.dumps({"left": [one.name for one in threading.enumerate() if one.name.startswith("runtime-exporter")]}))


if __name__ == "__main__":
    main()
