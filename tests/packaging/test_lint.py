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
        ("mypy", "tests/typing"),
    ],
    ids=" ".join,
)
def test_a_checker_has_nothing_to_say(command):
    pytest.importorskip(command[0], reason=f"{command[0]} is not installed: pip install -e '.[dev]'")
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_prometheus_clients_types_say_the_same_of_what_its_users_write(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed: pip install -e '.[dev]'")
    ours = (ROOT / "tests" / "typing" / "drop_in.py").read_text()
    theirs = tmp_path / "drop_in.py"
    theirs.write_text(ours.replace("from runtime_exporter.metrics import", "from prometheus_client import"))
    assert ours != theirs.read_text()
    done = subprocess.run(
        [sys.executable, "-m", "mypy", theirs], cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
