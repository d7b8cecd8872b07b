"""The programs that deploy/newer-tools.sh brings, and how each runs until the end of a block."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tools import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 60
SECONDS_TO_STOP = 60


@functools.cache
def newer_directory() -> Path:
    """Return where the newer programs are, if they are."""
    script = [str(ROOT / "deploy" / "newer-tools.sh"), "--where"]
    return Path(subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip())


def newer(name: str) -> str:
    """Return the path of a newer program; where there is none, fail in CI and skip elsewhere."""
    path = newer_directory() / name
    if path.exists():
        return str(path)
    message = f"no newer {name}: run deploy/newer-tools.sh"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
    raise AssertionError  # pytest.skip does not return


@contextlib.contextmanager
def running(command: list[str], ready: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block, which begins when the URL `ready` answers with success."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            wait_for(
                lambda: process.poll() is not None or answers(ready),
                seconds=SECONDS_TO_START,
                what=f"{command[0]} at {ready}",
            )
            if process.poll() is not None:
                pytest.fail(f"{command[0]} ended at once: {log.read_text(errors='replace')[-2000:]}")
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=SECONDS_TO_STOP)
            finally:
                process.kill()


def answers(url: str) -> bool:
    """Whether a URL answers with success."""
    try:
        return requests.get(url, timeout=30).ok
    except requests.RequestException:
        return False


def run(*command: str | Path, seconds: int = 120) -> tuple[int, str]:
    """Return the exit code of a command and all that it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, done.stdout + done.stderr
