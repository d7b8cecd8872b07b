"""A real preforking server under `runtime-exporter run`, and customers who know what they were answered."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tools import free_port, together, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent

WSGI = """
import os
import time
import runtime_exporter
from runtime_exporter.metrics import Counter

PLACED = Counter("shop_answers_total", "Orders that were answered.", ["kind"]).labels("order")
Counter("shop_loads_total", "Times that this module was executed.").inc()

def shop(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        time.sleep(60)
    if environ["PATH_INFO"] == "/crash":
        os._exit(7)
    PLACED.inc()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]

app = runtime_exporter.WSGIMiddleware(shop, route=lambda environ: "/orders/<number>")
if "SHOP_STARTS" in os.environ:
    runtime_exporter.start()
"""
ASGI = """
import os
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from runtime_exporter.metrics import Counter

PLACED = Counter("shop_answers_total", "Orders that were answered.", ["kind"]).labels("order")

async def order(request):
    PLACED.inc()
    return PlainTextResponse(str(os.getpid()))

app = Starlette(routes=[Route("/orders/{number}", order)])
"""


class Answers(NamedTuple):
    """What customers got: how many whole answers, how many requests that had none, and who answered."""

    answered: int
    failed: int
    pids: frozenset[int]


class Service:
    """One server with its workers. `command` may have {port}; `settings` are of the exporter."""

    def __init__(
        self,
        place: Path,
        *command: str,
        workers: int = 2,
        settings: tuple[str, ...] = (),
        run: bool = True,
        **variables: str,
    ):
        (place / "shop.py").write_text(WSGI)
        (place / "shop_asgi.py").write_text(ASGI)
        self.port, self.metrics_port = free_port(), free_port()
        self._expected = workers
        self.asked = self.answered = 0
        """Orders since the start: for how many it was asked, and how many were answered whole."""
        self.output = place / "output"
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("RUNTIME_EXPORTER_", "PYTHON"))
        }
        words = [word.format(port=self.port) for word in command]
        exporter = [str(BIN / "runtime-exporter"), "run", "--port", str(self.metrics_port), *settings, "--"]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*(exporter if run else ()), *words],
                cwd=place,
                env={
                    **own,
                    "PATH": f"{BIN}{os.pathsep}{own['PATH']}",
                    "HOME": str(place),
                    "PYTHONUNBUFFERED": "1",
                    "RUNTIME_EXPORTER_PROFILING": "false",
                    "RUNTIME_EXPORTER_PORT": str(self.metrics_port),
                    "SHOP_PORT": str(self.port),
                    **variables,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Service:  # noqa: PYI034 - Self is of Python 3.11
        try:
            wait_for(self._serves, what="the service", seconds=60)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End the server as its users do, and all that is left of it after a while."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _serves(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(self.output.read_text())
        return self.order(1).answered == 1 and len(self.numbers()) == self._expected

    def get(self, path: str) -> str:
        """Return the whole answer, or nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            body = response.read().decode()
            return body if response.status == 200 else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    def order(self, requests: int, customers: int = 4, path: str = "/orders/1") -> Answers:
        """Have `customers` ask `requests` times in all, at the same time, and no one twice for one order."""
        answers: list[str] = []
        numbers = iter(range(requests))
        lock = threading.Lock()

        def buy() -> None:
            while True:
                with lock:
                    if next(numbers, None) is None:
                        return
                answers.append(self.get(path))

        together(*[buy] * customers)
        failed = answers.count("")
        self.asked += len(answers)
        self.answered += len(answers) - failed
        return Answers(len(answers) - failed, failed, frozenset(int(each) for each in answers if each))

    def counts_exactly(self) -> None:
        """See that each of several scrapes, of which any worker may answer each, has all orders, and no other."""
        wait_for(lambda: self.placed() == self.answered, what=f"{self.answered} orders")
        wait_for(lambda: self.timed() == self.answered, what=f"{self.answered} durations")
        assert {(self.answered, self.answered)} == {(self.placed(), self.timed()) for _ in range(6)}

    def exposition(self) -> str:
        """Return what some worker answers a scrape, or nothing where it ended meanwhile."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as response:
                return response.read().decode()
        except (OSError, http.client.HTTPException):
            return ""

    def samples(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the samples of a name, by their labels, as some worker has them. Another one is asked where one ends."""
        text = wait_for(self.exposition, what="a scrape", seconds=60)
        lines = [line for line in text.splitlines(keepends=True) if line.startswith(name)]
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families("".join(lines))
            for sample in family.samples
            if sample.name == name
        }

    def placed(self) -> float:
        """Return how many orders all workers together count that they have answered."""
        return sum(self.samples("shop_answers_total").values())

    def timed(self) -> float:
        """Return how many orders the middleware has seen through."""
        samples = self.samples("http_server_request_duration_seconds_count")
        return sum(value for labels, value in samples.items() if "/orders" in dict(labels)["http_route"])

    def ends(self) -> dict[str, float]:
        """Return how many workers that are gone left in order, died, or said nothing of it."""
        return {
            dict(labels)["how"]: value for labels, value in self.samples("runtime_exporter_workers_ended_total").items()
        }

    def workers(self) -> list[int]:
        """Return the pids of the live children that serve requests: all but what is no Python of ours."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def numbers(self) -> set[str]:
        """Return the values of the label `worker`; nothing where each worker is alone."""
        return {dict(labels)["worker"] for labels in self.samples("worker_process_cpu_seconds_total")}

    def pids(self, requests: int = 8) -> frozenset[int]:
        """Return who answers."""
        return self.order(requests).pids

    def directories(self) -> list[Path]:
        """Return the run directories that this server's supervisor made."""
        places = (Path("/dev/shm"), Path("/tmp"))
        mine = f"runtime-exporter-{os.geteuid()}/{self.process.pid}-*"
        return [path for place in places for path in place.glob(mine)]


class Scraper:
    """Scrapes all the time, while the block runs; no counter of all workers may ever be seen to go down, or to go."""

    def __init__(self, service: Service) -> None:
        self.scrapes = 0
        self._service = service
        self._seen: dict[str, float] = {}
        self._wrong: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._scrape)

    def __enter__(self) -> Scraper:  # noqa: PYI034 - Self is of Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        assert [] == self._wrong
        assert "shop_answers_total" in str([*self._seen])

    def _scrape(self) -> None:
        while not self._ended.wait(0.05):
            text = self._service.exposition()
            if text:
                self.scrapes += 1
                self._look(dict(_counters(text)))

    def _look(self, now: dict[str, float]) -> None:
        for series, before in self._seen.items():
            # Sums of the same floats in another order differ in their last digits.
            if now.get(series, -1.0) < before * (1 - 1e-9):
                self._wrong.append(f"{series} was {before}, is {now.get(series)}")
        self._seen = now


def _counters(text: str) -> Iterator[tuple[str, float]]:
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        name = series.partition("{")[0]
        if name.endswith(("_total", "_count", "_sum", "_bucket")) and not line.startswith(("#", "worker_")):
            yield series, float(value)
