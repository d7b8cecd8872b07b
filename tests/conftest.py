"""What holds for all tests."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import settings

from tools import require

# A property holds or does not: how long an example takes on a busy machine says nothing.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A process is profiled where a test is about that: hundreds of services that are would have no CPU left for the tests.
os.environ.setdefault("RUNTIME_EXPORTER_PROFILING", "false")

# Who starts the tests in the background has SIGINT ignored, and every program that they start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rapid_switches():
    """Let CPython hand the GIL over as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of a file."""
    from playwright.sync_api import sync_playwright

    chromium = require("chromium", "chromium-browser", "google-chrome", package="chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


def pytest_collection_modifyitems(items):
    """Put the files with slow tests first: one that takes a minute would be awaited by all workers, if it were the last."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
