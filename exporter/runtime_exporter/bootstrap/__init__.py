"""How `runtime-exporter run` gets into a program: an environment, a sitecustomize module, and a time to start.

The environment leads Python to `injected/sitecustomize.py` before the program begins. It hooks the web frameworks as they are
imported, and starts the exporter in the process that serves the requests. Descendants of that process find nothing to do.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK: Final = "RUNTIME_EXPORTER_BOOTSTRAP"
"""Says that an exporter is still to be started; its value is the id of the process that `run` became."""

RUN_DIRECTORY: Final = "RUNTIME_EXPORTER_RUN_DIRECTORY"
"""The variable of the setting `run_directory`: where several workers share their numbers."""

RUN_DIRECTORY_MADE: Final = "RUNTIME_EXPORTER_BOOTSTRAP_DIRECTORY"
"""Says that nobody named that directory: programs that a worker starts are not to use it."""

VARIABLES: Final = (MARK, RUN_DIRECTORY, RUN_DIRECTORY_MADE, "PYTHONPATH")
"""What is added to an environment, or changed in it."""

INJECTED: Final = str(Path(__file__).with_name("injected"))
"""The directory of our sitecustomize; nothing else is in it, as it is on the path of a foreign program."""


def environment(environ: Mapping[str, str], pid: int) -> dict[str, str]:
    """Return `environ` with what makes a Python program, started as process `pid`, start an exporter."""
    path = environ.get("PYTHONPATH")
    return {**environ, MARK: str(pid), "PYTHONPATH": os.pathsep.join([INJECTED, path] if path else [INJECTED])}


def without(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` as it was before `environment()`, and before a directory was made for the workers."""
    ours = {MARK, RUN_DIRECTORY_MADE}
    if environ.get(RUN_DIRECTORY) == environ.get(RUN_DIRECTORY_MADE):  # else somebody has named one since
        ours.add(RUN_DIRECTORY)
    rest = {name: value for name, value in environ.items() if name not in ours}
    paths = [path for path in rest.pop("PYTHONPATH", "").split(os.pathsep) if path != INJECTED]
    return {**rest, "PYTHONPATH": os.pathsep.join(paths)} if any(paths) else rest
