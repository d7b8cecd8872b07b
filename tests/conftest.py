"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# A property holds or does not: how long an example takes on a busy machine says nothing.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A process is profiled where a test is about that: hundreds of services that are would have no CPU left for the tests.
os.environ.setdefault("RUNTIME_EXPORTER_PROFILING", "false")
