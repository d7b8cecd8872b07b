"""The two ways to count: unlocked under a GIL, and with the family's lock where there may be none."""

from __future__ import annotations

import sys

from runtime_exporter.freethreading import FREE_THREADED

MODES = ["free-threaded"] if FREE_THREADED else ["gil", "free-threaded"]
"""Those that are right in this interpreter."""


def count_as(mode, monkeypatch):
    """Have every module of ours count in one of the two ways."""
    for name, module in [*sys.modules.items()]:
        if name.startswith("runtime_exporter.") and hasattr(module, "FREE_THREADED"):
            monkeypatch.setattr(module, "FREE_THREADED", mode == "free-threaded")
