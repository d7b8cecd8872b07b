"""Who only has pip can generate: the sources of the mixin travel inside the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from runtime_exporter.mixin import bundle

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
from runtime_exporter.cli import main
from runtime_exporter.mixin import bundle
print(bundle.root())
main(["generate", "out"])
"""


@pytest.mark.slow
def test_a_wheel_alone_generates_the_same_files(tmp_path: Path, default_files: dict[str, str]) -> None:
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=bundle.root(), check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert str(site / "runtime_exporter" / "_bundle") == done.stdout.splitlines()[0]
    out = tmp_path / "out"
    written = {
        path.relative_to(out).as_posix(): path.read_text(encoding="utf-8") for path in out.rglob("*") if path.is_file()
    }
    del written["manifest.json"]
    assert default_files == written
