"""What tests of threads share."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def rapid_switches():
    """Let CPython hand the GIL over as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
