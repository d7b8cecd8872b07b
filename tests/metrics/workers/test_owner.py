"""A server that begins as root, loads the application, forks, and only then gives that up: its files are the workers'."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
from runtime_exporter.metrics import Counter
from runtime_exporter.metrics.workers import Merged, join

directory = Path(sys.argv[1])
worker = join(directory)
count = Counter("count_total", "Counted.", registry=None)
count.inc()
if os.fork() == 0:
    os.setgid(65534)
    os.setuid(65534)
    count.inc(2)
    merged = Merged(directory)
    values = {metric.family.name: metric.value() for metric in merged.collected_families()}
    print(merged.states()["live"], values["count"], {path.stat().st_uid for path in directory.iterdir()}, flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give being root up")
def test_a_worker_that_gave_up_being_root_reads_and_locks_what_was_made_before(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    for path in (directory, *directory.parents[: len(directory.parents) - 2]):
        path.chmod(0o711)
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ("2 3.0 {65534}\n", "") == (result.stdout, result.stderr)
