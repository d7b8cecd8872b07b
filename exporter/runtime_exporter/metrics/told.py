"""Joins the run directory that this process is told of, by the environment or by the process that started it.

As prometheus_client does with PROMETHEUS_MULTIPROC_DIR, at import: a process that only counts, and starts nothing, is one of the workers.
A process of multiprocessing that is no fork (`spawn`, `forkserver`) begins with an environment that may not name the directory:
where `run` made one, other programs must not share it. So a worker leaves its name where processes of multiprocessing leave
what their children are to know, and these their children.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from runtime_exporter.errors import RunDirectoryError

VARIABLE: Final = "RUNTIME_EXPORTER_RUN_DIRECTORY"
_KEY: Final = "runtime_exporter_run_directory"


def join_if_told() -> None:
    """Join, where there is a directory to join. Raises nothing."""
    directory = os.environ.get(VARIABLE)
    if directory:
        _join(directory, VARIABLE)
        return
    if "multiprocessing.util" in sys.modules:
        _when_begun()
        _FOLLOWER.follow()


def tell_children(directory: Path | None) -> None:
    """Have processes that multiprocessing starts from now on join a directory, or none."""
    # Imported now: who is alone needs nothing of it.
    from multiprocessing.process import current_process

    with suppress(AttributeError):  # nobody promises that there is such a thing
        config: dict[str, Any] = current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001 - what children inherit
        config.pop(_KEY, None)
        if directory is not None:
            config[_KEY] = str(directory)


def _when_begun() -> None:
    """Join as soon as it is known whose child this process is: where it was spawned, it imports its program before."""
    sys.modules["multiprocessing.util"].register_after_fork(_FOLLOWER, _Follower.follow)
    spawned: Any = getattr(sys.modules["multiprocessing.context"], "SpawnProcess", None)
    if hasattr(spawned, "_after_fork"):  # there nothing that was registered is called
        spawned._after_fork = _FOLLOWER.follow  # noqa: SLF001 - does nothing else


class _Follower:
    """What multiprocessing keeps for who wants to be called in children; it asks for an object that lives."""

    def follow(self) -> None:
        config = getattr(sys.modules["multiprocessing.process"].current_process(), "_config", {})
        directory = config.get(_KEY)
        if directory:
            _join(directory, "the parent's run directory")


_FOLLOWER: Final = _Follower()


def _join(directory: str, source: str) -> None:
    """Join a directory that `source` names. That it cannot be is one line in the log: nobody called."""
    # Imported now: nobody else pays for what it imports.
    from runtime_exporter.metrics.workers.worker import join

    try:
        join(Path(directory))
    except RunDirectoryError as error:
        logging.getLogger("runtime_exporter").warning("%s: %s", source, error)
