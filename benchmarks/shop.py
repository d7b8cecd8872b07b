"""What the exporter costs a real service: the time of a scrape of the shop under load, and memory over the bare application."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from benchmarks import progress
from benchmarks.figures import Figure, Goal, Noise, Spread
from runtime_exporter.collectors.exporter import series_in
from runtime_exporter.metrics.exposition import OPENMETRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SCRAPE = 5.0
"""Milliseconds that a scrape of a small service may take."""
MEMORY = 15.0
"""Megabytes that the exporter may add to one."""

# A small Flask application as a process of its own: prints its resident and proportional memory after some requests.
MEMORY_OF_APP = """
import sys, time
from flask import Flask
app = Flask("app")
app.get("/items/<int:item>")(lambda item: {"item": item})
if "exporter" in sys.argv:
    import runtime_exporter
    handle = runtime_exporter.start(port=0)
    app.wsgi_app = runtime_exporter.WSGIMiddleware(app.wsgi_app)
    import http.client, urllib.parse
    address = urllib.parse.urlsplit(handle.url).netloc
client = app.test_client()
for number in range(300):
    client.get(f"/items/{number}")
    if "exporter" in sys.argv and number % 30 == 0:
        connection = http.client.HTTPConnection(address)
        connection.request("GET", "/metrics")
        connection.getresponse().read()
        connection.close()
time.sleep(2)  # the background collectors have run by then
rollup = dict(line.split(":") for line in open("/proc/self/smaps_rollup").read().splitlines()[1:])
print(int(rollup["Rss"].split()[0]), int(rollup["Pss"].split()[0]))
"""


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Say nothing."""


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what a scrape takes under load, and how much memory the exporter adds."""
    yield from _scrape(20 if quick else 100)
    yield from _memory(1 if quick else 5)


def _scrape(scrapes: int) -> Iterator[Item]:
    sys.path.insert(0, str(EXAMPLES))
    os.environ["RUNTIME_EXPORTER_PORT"] = "0"
    os.environ["RUNTIME_EXPORTER_LOG_LEVEL"] = "error"
    from shop import app, data
    from shop.service import Shop

    shop = Shop(data.generate(2026))
    application = app.create_app(shop)
    exporter = app.monitor(application, shop)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    load = subprocess.Popen(
        [sys.executable, "-m", "shop.loadgen", f"http://127.0.0.1:{server.port}", "--rate", "30", "--seconds", "120"],
        cwd=EXAMPLES,
    )
    cpu, wall, series = [], [], 0
    try:
        time.sleep(3)
        for _ in range(scrapes):
            time.sleep(0.2)
            begin, began = time.thread_time(), time.perf_counter()
            series = series_in(exporter.expose(OPENMETRICS))
            cpu.append(time.thread_time() - begin)
            wall.append(time.perf_counter() - began)
    finally:
        load.terminate()
        load.wait(10)
        server.shutdown()
        server.server_close()
        exporter.close()
    name = "scrape of the shop at 30 requests a second"
    yield Figure(
        f"{name}, wall time", "ms", Spread.of(1e3 * one for one in wall), count=scrapes, at=series, along="series"
    )
    yield Goal(
        f"the shop's scrape takes at most {SCRAPE} ms", f"{name}, wall time", at=series, of="ours", at_most=SCRAPE
    )
    yield Figure(
        f"{name}, CPU time", "ms", Spread.of(1e3 * one for one in cpu), count=scrapes, at=series, along="series"
    )
    slowest = Spread.exactly(1e3 * sorted(wall)[int(len(wall) * 0.95)])
    yield Figure(f"{name}, wall time, 95th percentile", "ms", slowest, count=scrapes, at=series, along="series")


def _memory(pairs: int) -> Iterator[Item]:
    def run(*arguments: str) -> tuple[float, float]:
        done = subprocess.run(
            [sys.executable, "-c", MEMORY_OF_APP, *arguments], capture_output=True, text=True, check=True, timeout=120
        )
        rss, pss = done.stdout.split()[-2:]
        return int(rss) * 1024 / 1e6, int(pss) * 1024 / 1e6

    added, private, noise = [], [], []
    for number in range(pairs):
        progress.say(f"memory, {number + 1} of {pairs}")
        bare, with_exporter, again = run(), run("exporter"), run()
        added.append(with_exporter[0] - bare[0])
        private.append(with_exporter[1] - bare[1])
        noise.append(again[0] - bare[0])
    same = Spread.of(noise)
    floor = Noise(same.low, same.high, relative=False)
    name = "resident memory over a bare Flask application"
    yield Figure(name, "MB", Spread.of(added), noise=floor, count=pairs)
    yield Goal(f"at most {MEMORY} MB over a bare application", name, of="ours", at_most=MEMORY)
    yield Figure("proportional memory over it", "MB", Spread.of(private), noise=floor, count=pairs)
