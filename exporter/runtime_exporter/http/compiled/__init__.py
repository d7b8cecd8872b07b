"""Which of the ways of ordinary requests there are compiled: a matter of speed alone, each counts as the interpreted one does.

The extension modules are built at installation where there is a compiler, and imported here alone.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final

from runtime_exporter.freethreading import BUILD
from runtime_exporter.settings.sources import COMPILED_VARIABLE
from runtime_exporter.settings.types import boolean


def _against() -> str:
    """Return what speaks against compiled ways in this process; nothing where it is empty."""
    if sys.implementation.name != "cpython":
        return f"the objects of {sys.implementation.name} have another shape"
    if BUILD:  # also where PYTHON_GIL=1 makes it take the GIL
        return "this interpreter was built to run without a GIL, which is all that they have for a lock"
    return "" if _wanted() else f"{COMPILED_VARIABLE} says no"


def _wanted() -> bool:
    try:
        return boolean(os.environ.get(COMPILED_VARIABLE) or True)
    except ValueError:  # the build, which knows the same words, says so
        return True


def _load(name: str) -> Any:
    """Return an extension module, or None where there is none that this interpreter can use."""
    reason = _against()
    if not reason:
        try:
            return importlib.import_module(f"{__name__}.{name}")
        except ImportError as error:
            reason = str(error)
    absent[name] = reason
    return None


absent: Final[dict[str, str]] = {}
"""The extension modules that are not used, and why."""

asgi: Final = _load("_asgi")
"""What `http.asgi_plain` has compiled, or None."""

wsgi: Final = _load("_wsgi")
"""What `http.wsgi_django` has compiled, or None."""


def used() -> dict[str, bool]:
    """Return of each interface that requests come by whether there is a compiled way for them."""
    return {name: f"_{name}" not in absent for name in ("asgi", "wsgi")}
