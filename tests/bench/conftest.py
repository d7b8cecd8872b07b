"""The benchmarks are in no package that is installed: with the package itself known, its modules are found where it is."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(Path(__file__).parents[2]))
    importlib.import_module("benchmarks")
