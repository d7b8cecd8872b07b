"""What tests of real parts share: finding programs, free ports, waiting for a condition."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from runtime_exporter.freethreading import FREE_THREADED

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

needs_gil = pytest.mark.skipif(FREE_THREADED, reason="reads the frames of other threads, which only a GIL makes safe")


def require(*names: str, package: str) -> str:
    """Return the path of the first of `names` on PATH; where none is, fail in CI and skip elsewhere, naming the Debian package."""
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    message = f"{names[0]} is not installed: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
    raise AssertionError  # pytest.skip does not return


def require_compiled(name: str) -> Any:
    """Return `http.compiled.<name>`; where it was not built, fail in CI and skip elsewhere, saying what would build it."""
    from runtime_exporter.http import compiled

    module = getattr(compiled, name)
    if module is not None:
        return module
    message = f"{compiled.absent[f'_{name}']}: apt-get install gcc python3-dev; python exporter/hatch_build.py"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
    raise AssertionError  # pytest.skip does not return


# Below what any system gives to those who connect, or ask for any port: nobody has got one of these before its server is up.
_PORTS: Final = range(20_000, 30_000)
# Processes that test at the same time begin at different places.
_ports = itertools.cycle(random.Random(os.getpid()).sample(_PORTS, len(_PORTS)))


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free, and that this process has not returned for long."""
    for port in itertools.islice(_ports, len(_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail(f"no port of 127.0.0.1 from {_PORTS.start} to {_PORTS.stop} is free")


def asleep(native_id: int) -> bool:
    """Return whether a thread of this process waits: one that stands still may only not have been given a core for a while."""
    stat = Path(f"/proc/self/task/{native_id}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "S"


def together(*works: Callable[[], object]) -> None:
    """Do each of `works` on a thread of its own, and return when all are done."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wait_for(
    condition: Callable[[], T], *, seconds: float = 60.0, what: str = "the condition", pause: float = 0.05
) -> T:
    """Poll until `condition()` is truthy and return that value; fail after `seconds`, saying what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds:g} s")
        time.sleep(pause)
