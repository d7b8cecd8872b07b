"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A property holds or does not: how long an example takes on a busy machine says nothing.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
