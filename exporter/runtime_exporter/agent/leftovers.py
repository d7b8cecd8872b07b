"""The profiles of targets that are in the file no more: kept for as long as a comparison looks back, and then removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.logs import LOGGER
from runtime_exporter.profiling.baseline import DAY, SAME_HOUR_DAYS
from runtime_exporter.profiling.stored import parse
from runtime_exporter.profiling.wholefiles import LOCK, TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

KEPT_SECONDS: Final = (SAME_HOUR_DAYS + 1) * DAY
"""How old the latest profile of a directory is when nothing compares with it any more: who took a target out of the file by
mistake, or for a while, finds it again until then."""


def remove(directory: Path, targets: Collection[str], now: float) -> tuple[str, ...]:
    """Remove the directories below `directory` with nothing but old profiles, but for those of `targets`; return their names.

    A directory in which there is anything else is somebody else's, and stays as it is. What cannot be removed stays, too.
    """
    try:
        found = sorted(directory.iterdir())
    except OSError:
        return ()
    return tuple(one.name for one in found if one.name not in targets and _is_old(one, now) and _removed(one))


def _is_old(directory: Path, now: float) -> bool:
    try:
        if directory.is_symlink() or not directory.is_dir():
            return False
        names = [file.name for file in directory.iterdir()]
    except OSError:
        return False
    entries = [parse(name) for name in names if name != LOCK and not name.startswith(TEMPORARY)]
    known = [entry for entry in entries if entry is not None]
    return bool(known) and len(known) == len(entries) and max(one.end for one in known) < now - KEPT_SECONDS


def _removed(directory: Path) -> bool:
    try:
        for file in directory.iterdir():
            file.unlink()
        directory.rmdir()
    except OSError as error:
        LOGGER.warning("old profiles stay in %s: %s", directory, error.strerror)
        return False
    return True
