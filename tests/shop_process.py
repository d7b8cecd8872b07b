"""The shop as a process of its own, with the exporter beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from tools import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[1] / "examples"


@contextmanager
def started(*options: str, **settings: object) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The shop with options of its own and settings of the exporter; yields the process, its URL and the exporter's."""
    shop, exporter = free_port(), free_port()
    asked = {f"RUNTIME_EXPORTER_{name.upper()}": str(value) for name, value in settings.items()}
    environ = {**os.environ, "RUNTIME_EXPORTER_PORT": str(exporter), **asked}
    command = (sys.executable, "-m", "shop", "--port", str(shop), *options)
    with subprocess.Popen(command, cwd=EXAMPLES, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = f"http://127.0.0.1:{shop}"
            wait_for(lambda: process.poll() is not None or answers(url + "/users/1"), what="the shop")
            yield process, url, f"http://127.0.0.1:{exporter}"
        finally:
            process.kill()


def answers(url: str) -> bool:
    """Whether a URL answers with success."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
