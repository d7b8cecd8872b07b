"""Real processes that share a run directory."""

from __future__ import annotations

import pytest

from worker_process import fleet_in


@pytest.fixture
def fleet(tmp_path):
    """A run directory and the workers that a test adds, ended with it."""
    with fleet_in(tmp_path) as fleet:
        yield fleet
