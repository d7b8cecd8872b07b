"""A service in a process of its own, with the exporter in it, that burns CPU in a function of a known name."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import runtime_exporter


def burns_cpu_here():
    total = 0
    for number in range(100_000):
        total += number * number % 7
    return total


def main():
    print(runtime_exporter.start(**({} if "RUNTIME_EXPORTER_PORT" in os.environ else {"port": 0})).url, flush=True)
    while True:
        burns_cpu_here()


class BusyService:
    """Where it is served, and its process."""

    def __init__(self, process):
        self.process = process
        self.pid = process.pid
        self.url = process.stdout.readline().strip()


@contextlib.contextmanager
def busy_service(**settings):
    """Run the service, with settings; ended by its own handle."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RUNTIME_EXPORTER_")}
    environ |= {f"RUNTIME_EXPORTER_{name.upper()}": str(value) for name, value in settings.items()}
    with subprocess.Popen(
        [sys.executable, __file__], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield BusyService(process)
        finally:
            process.kill()


if __name__ == "__main__":
    main()
