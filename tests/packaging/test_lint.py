"""ruff and mypy --strict have nothing to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("mypy", "tests/typing/api.py"),
    ],
    ids=" ".join,
)
def test_a_checker_has_nothing_to_say(command):
    pytest.importorskip(command[0], reason=f"{command[0]} is not installed: pip install -e '.[dev]'")
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
