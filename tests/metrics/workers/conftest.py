"""Run directories of these tests lie in memory, as those of services do: a disk that is busy would hold up whoever counts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from runtime_exporter.metrics import workers

MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path():
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Path(directory)


@pytest.fixture
def directory(tmp_path):
    """A run directory that this process may join: it leaves it afterwards."""
    yield tmp_path
    worker = workers.current()
    if worker is not None:
        worker.leave()


@pytest.fixture
def merged(tmp_path):
    """What any process reads of the run directory."""
    found = workers.Merged(tmp_path)
    yield found
    found.close()
