"""Workers as processes of their own: each does what a test tells it, and ends with the test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import requests

from tools import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PROGRAM = """\
import json, os, sys, threading, time, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)  # Python 3.12 on fork with threads
import runtime_exporter
from runtime_exporter.metrics import Counter, Gauge, Histogram
counter = Counter("orders", "Orders.", ["kind"])
def busy():  # count for ever, on a thread
    def count():
        number = 0
        while True:
            number += 1
            counter.labels(str(number % 7)).inc()
    threading.Thread(target=count, daemon=True).start()
def work(count, seconds):  # count, and live for some time
    counter.labels("a").inc(count)
    time.sleep(seconds)
def fork(function, *arguments):  # run a function in a forked child; return its process
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
        finally:
            os._exit(0)
    return pid
if __name__ == "__main__":
    names = globals()
    for line in sys.stdin:
        try:
            exec(json.loads(line), names)
            said = ["did", str(names.pop("said", ""))]
        except BaseException as error:
            said = ["raised", f"{type(error).__name__}: {error}"]
        print(json.dumps(said), flush=True)
"""


class WorkerProcess:
    """A Python process that has imported the exporter and waits to be told what to do."""

    def __init__(self, directory: Path, environ: Mapping[str, str] | None = None) -> None:
        program = directory / "worker_program.py"
        if not program.exists():
            program.write_text(PROGRAM)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RUNTIME_EXPORTER_")}
        self._log_file = directory / f"log-{id(self)}"
        with self._log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**clean, "RUNTIME_EXPORTER_PROFILING": "false", **(environ or {})},
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What it has written to standard error."""
        return self._log_file.read_text()

    def do(self, code: str) -> str:
        """Have it run some Python; return what that put into `said`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the worker ended: {self.log}"
        how, said = json.loads(answer)
        assert how == "did", f"{said}\n{self.log}"
        return str(said)

    def start(self, **settings: Any) -> str:
        """Start the exporter in it; return its URL."""
        return self.do(f"handle = runtime_exporter.start(**{settings!r}); said = handle.url")

    def kill(self) -> None:
        """End it as a machine out of memory does."""
        self.process.kill()
        self.end()

    def end(self) -> None:
        """Close its input, at which it ends, and wait for that."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()  # not read to its end: a forked child has it, too


class Fleet:
    """Workers of one run directory and one port."""

    def __init__(self, directory: Path, **environ: str) -> None:
        self.directory = directory / "run"
        self.directory.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.workers: list[WorkerProcess] = []
        self._home = directory
        self._environ = environ

    def worker(self, *, start: bool = True, **environ: str) -> WorkerProcess:
        """Add a worker, started unless told otherwise."""
        worker = WorkerProcess(self._home, {**self.environ, **self._environ, **environ})
        self.workers.append(worker)
        if start:
            assert self.url == worker.start()
        return worker

    @property
    def environ(self) -> dict[str, str]:
        """What makes a process a worker of this fleet."""
        return {
            "RUNTIME_EXPORTER_RUN_DIRECTORY": str(self.directory),
            "RUNTIME_EXPORTER_RUN_DIRECTORY_INTERVAL": "200ms",
            "RUNTIME_EXPORTER_PORT": str(self.port),
            "RUNTIME_EXPORTER_OVERHEAD_BUDGET": "1",  # or nothing would be done so often
        }

    def text(self) -> str:
        """Return what whoever answers exposes."""
        answer = requests.get(f"{self.url}/metrics", timeout=60)
        assert answer.status_code == 200, "".join([answer.text, *(worker.log for worker in self.workers)])
        return answer.text

    def series(self) -> dict[str, float]:
        """Return the samples of a scrape: name with labels, and value."""
        lines = (line.rpartition(" ") for line in self.text().splitlines() if line[:1] != "#")
        return {name: float(value) for name, _, value in lines}

    def value(self, name: str) -> float | None:
        """Return one sample."""
        return self.series().get(name)

    def wait_for(self, name: str, value: float) -> None:
        """Scrape until a sample has a value."""
        wait_for(lambda: self.value(name) == value, what=f"{name} is {value:g}")

    def end(self) -> None:
        """End every worker."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.end()


@contextlib.contextmanager
def fleet_in(directory: Path, **environ: str) -> Iterator[Fleet]:
    """Yield a fleet whose workers are gone afterwards."""
    fleet = Fleet(directory, **environ)
    try:
        yield fleet
    finally:
        fleet.end()
