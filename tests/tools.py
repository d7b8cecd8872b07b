"""What tests of real parts share: finding programs, free ports, waiting for a condition."""

from __future__ import annotations

import os
import shutil
import socket
import time
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


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


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(
    condition: Callable[[], T], *, seconds: float = 30.0, what: str = "the condition", pause: float = 0.05
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
