"""The shop in Go as a process of its own, and customers for it."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from pathlib import Path

import requests

from go_tools import require_go

SOURCE = Path(__file__).resolve().parents[1] / "examples" / "shop-go"


@contextlib.contextmanager
def shop_go(*faults, port=0):
    """Build and run the shop with these faults on, and yield its URL; ended by its own handle."""
    go = require_go()
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "shop-go"
        go.run("build", "-o", str(program), ".", cwd=SOURCE)
        with subprocess.Popen(
            [program, "-address", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                url = process.stdout.readline().strip()
                for fault in faults:
                    switch(url, fault, on=True)
                yield url
            finally:
                process.kill()


def switch(url, fault, *, on):
    answer = requests.post(f"{url}/faults/{fault}", json={"on": on}, timeout=10)
    assert on is answer.json()[fault]


@contextlib.contextmanager
def customers(url, method, *paths, at_once=1):
    """Ask for these pages again and again, by so many at once, until the end of the block."""
    end = threading.Event()
    answers = []

    def shop():
        with requests.Session() as session:
            while not end.is_set():
                for path in paths:
                    answers.append(session.request(method, url + path, timeout=10).status_code)

    threads = [threading.Thread(target=shop) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        end.set()
        for thread in threads:
            thread.join()
