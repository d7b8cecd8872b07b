"""Generated files on disk: written whole or not at all, compared, and what an earlier run left behind removed.

`manifest.json` beside them says which files are ours and what they held; a file that it does not name is never touched.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime_exporter.errors import ConfigError, ExporterError
from runtime_exporter.mixin.generate import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Plan:
    """What separates a directory from what it should hold; paths are relative to it."""

    target: Path
    wanted: Mapping[str, str]
    changed: tuple[str, ...]
    """Files to be written: new ones, and those that differ."""
    unchanged: tuple[str, ...]
    stale: tuple[str, ...]
    """Files of an earlier run that are not wanted any more, as that run left them."""
    kept: tuple[str, ...]
    """Such files that somebody has edited since: they stay."""

    @property
    def drifted(self) -> bool:
        """Whether anything would be written or removed."""
        return bool(self.changed or self.stale)


def plan(target: Path, files: Mapping[str, str]) -> Plan:
    """Compare `files` with what `target` holds. Writes nothing.

    Raises ConfigError where a file stands in the way that no run of ours has written.
    """
    if os.path.exists(target) and not os.path.isdir(target):  # noqa: PTH110, PTH112 - unlike Path's, they do not raise
        raise ConfigError(f"{target} is not a directory", setting="DIR", value=str(target))
    ours = _ours(target)
    wanted = {**files, MANIFEST: _manifest(files)}
    now = {path: _read(target / path) for path in wanted}
    changed = tuple(path for path, text in wanted.items() if now[path] != text.encode())
    for path in changed:
        _refuse_foreign(target / path, now[path], known=path in ours or path == MANIFEST)
    gone = [path for path in ours if path not in wanted and (target / path).is_file()]
    stale = tuple(path for path in gone if _digest(_read(target / path) or b"") == ours[path])
    return Plan(
        target=target,
        wanted=wanted,
        changed=changed,
        unchanged=tuple(path for path in wanted if path not in changed),
        stale=stale,
        kept=tuple(path for path in gone if path not in stale),
    )


def apply(todo: Plan) -> None:
    """Carry out a plan: everything, or, after an error or a break in the middle, nothing.

    Raises ExporterError where the file system refuses; the directory is then as it was.
    """
    if not todo.drifted:
        return
    try:
        with contextlib.ExitStack() as undo, _staging(todo.target, undo) as staging:
            _stage(todo, staging)
            for path in todo.changed:
                _put(todo.target, path, staging, undo)
            for path in todo.stale:
                _move(todo.target / path, staging / "old" / path, undo)
            undo.pop_all()
    except OSError as error:
        at = f"{error.filename}: " if error.filename else ""
        raise ExporterError(f"cannot write {todo.target}: {at}{error.strerror}; nothing was changed") from error
    for path in todo.stale:
        with contextlib.suppress(OSError):  # a directory that still holds something stays
            (todo.target / path).parent.rmdir()


def differences(todo: Plan) -> Iterator[str]:
    """Yield the lines of a unified diff from what is on disk to what is wanted."""
    for path in todo.changed:
        before = (_read(todo.target / path) or b"").decode(errors="replace")
        yield from _diff(path, before, todo.wanted[path], exists=(todo.target / path).exists())
    for path in todo.stale:
        yield f"--- {path}"
        yield "+++ /dev/null (no longer generated)"


def _diff(path: str, before: str, after: str, *, exists: bool) -> Iterator[str]:
    old = path if exists else "/dev/null (missing)"
    yield from difflib.unified_diff(before.splitlines(), after.splitlines(), fromfile=old, tofile=path, lineterm="")


def _manifest(files: Mapping[str, str]) -> str:
    content = {
        "comment": f"{HEADER.removeprefix('# ')}: the files that `generate` wrote here, and will replace or remove. DO NOT EDIT.",
        "files": {path: _digest(text.encode()) for path, text in files.items()},
    }
    return json.dumps(content, indent=2) + "\n"


def _ours(target: Path) -> dict[str, str]:
    """Return the files of an earlier run with their digests; a manifest that is not one of ours names none."""
    text = _read(target / MANIFEST)
    if text is None:
        return {}
    try:
        files = json.loads(text)["files"]
        named = {str(path): str(digest) for path, digest in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        problem = "exists and is not a manifest of ours; generate into another directory, or move it away"
        raise ConfigError(f"{target / MANIFEST} {problem}", setting="DIR", value=str(target)) from None
    # A manifest is a file like any other: what it names outside of the directory is not ours to remove.
    return {
        path: digest for path, digest in named.items() if not Path(path).is_absolute() and ".." not in Path(path).parts
    }


def _refuse_foreign(path: Path, content: bytes | None, *, known: bool) -> None:
    if path.is_dir():
        raise ConfigError(f"{path} is a directory where a file is to be written", setting="DIR", value=str(path))
    if content is None or known or content.startswith(HEADER.encode()):
        return
    problem = "exists and was not generated; generate into another directory, or move it away"
    raise ConfigError(f"{path} {problem}", setting="DIR", value=str(path))


def _read(path: Path) -> bytes | None:
    """Return what a file holds; None where there is no file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise ExporterError(f"cannot read {path}: {error.strerror}") from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _staging(target: Path, undo: contextlib.ExitStack) -> Iterator[Path]:
    """Give a directory on the same file system, so that a rename is enough; gone afterwards, whatever happens."""
    _make_directory(target, undo)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=target))
    undo.callback(shutil.rmtree, staging, ignore_errors=True)
    yield staging
    shutil.rmtree(staging, ignore_errors=True)


def _stage(todo: Plan, staging: Path) -> None:
    for path in todo.changed:
        new = staging / "new" / path
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(todo.wanted[path], encoding="utf-8", newline="\n")


def _put(target: Path, path: str, staging: Path, undo: contextlib.ExitStack) -> None:
    """Replace one file in one step; `undo` learns how to bring the old one back."""
    place, old = target / path, staging / "old" / path
    _make_directory(place.parent, undo)
    if place.exists():
        old.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(place, old)
        undo.callback(old.replace, place)
    else:
        undo.callback(place.unlink, missing_ok=True)
    (staging / "new" / path).replace(place)


def _move(place: Path, aside: Path, undo: contextlib.ExitStack) -> None:
    aside.parent.mkdir(parents=True, exist_ok=True)
    place.replace(aside)
    undo.callback(aside.replace, place)


def _make_directory(path: Path, undo: contextlib.ExitStack) -> None:
    """Create a directory and its parents; `undo` learns which of them are new."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
        undo.callback(each.rmdir)
