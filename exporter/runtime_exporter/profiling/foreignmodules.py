"""What the modules of another Python process are called, so that its functions have the names that it gives them itself."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.samplers.collapsed import TYPED

if TYPE_CHECKING:
    from collections.abc import Sequence

MAIN: Final = "__main__"
_SUFFIX: Final = ".py"
_PACKAGE: Final = "__init__"
# Options of Python whose value is an argument of its own.
_WITH_VALUE: Final = frozenset({"-W", "-X", "--check-hash-based-pycs"})


class Program(NamedTuple):
    """How Python was given its program: as a `file`, as a `module` (-m), or `typed` (-c, standard input)."""

    file: str = ""
    module: str = ""
    typed: bool = False


class ForeignModules(Mapping[str, str]):
    """Module by source file: the packages that it is in, as far as they have an `__init__.py`, and `__main__` for the program.

    What is no path of a Python file is not there. Files are looked for as the process sees them, which may be in a container.
    """

    def __init__(self, pid: int, *, proc: str = "/proc") -> None:
        self._root = f"{proc}/{pid}/root"
        self._program = program(_arguments(pid, proc))
        file = self._program.file
        self._main = os.path.normpath(Path(_cwd(pid, proc), file)) if file else ""
        self._known: dict[str, str] = dict(TYPED) if self._program.typed else {}

    def __getitem__(self, file: str) -> str:
        """Return the module of a file. Raises KeyError."""
        module = self._known.get(file)
        if module is None:
            module = self._known[file] = self._module(file)
        if not module:
            raise KeyError(file)
        return module

    def __iter__(self) -> Iterator[str]:
        """Yield the files that were asked for so far."""
        return iter(self._known)

    def __len__(self) -> int:
        """Return how many were asked for."""
        return len(self._known)

    def _module(self, file: str) -> str:
        if self._main and os.path.normpath(file) in (self._main, f"{self._main}/__main__.py"):
            return MAIN
        if not file.startswith("/") or not file.endswith(_SUFFIX):
            return ""
        path = Path(file)
        parts = [] if path.stem == _PACKAGE else [path.stem]
        for directory in path.parents:
            if not self._is_package(directory):
                break
            parts.append(directory.name)
        name = ".".join(reversed(parts))
        wanted = self._program.module
        return MAIN if wanted and path.stem != _PACKAGE and name in (wanted, f"{wanted}.__main__") else name

    def _is_package(self, directory: Path) -> bool:
        # Somebody's __init__.py in site-packages makes it none: it has no name that could be imported.
        return directory.name.isidentifier() and os.path.exists(f"{self._root}{directory}/{_PACKAGE}{_SUFFIX}")  # noqa: PTH110 - Path.exists may raise


def program(arguments: Sequence[str]) -> Program:
    """Return what Python was given to execute, by its command line; nothing where that is not known."""
    options = iter(arguments[1:])
    for option in options:
        if option == "-":
            return Program(typed=True)
        if not option.startswith("-"):
            return Program(file=option)
        if option in _WITH_VALUE:
            next(options, None)
        elif not option.startswith("--") and (found := set("cm") & set(option)):
            first = min(found, key=option.index)
            value = option.partition(first)[2] or next(options, "")
            return Program(typed=True) if first == "c" else Program(module=value)
    return Program(typed=bool(arguments))


def _arguments(pid: int, proc: str) -> list[str]:
    try:
        return Path(f"{proc}/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def _cwd(pid: int, proc: str) -> str:
    try:
        return str(Path(f"{proc}/{pid}/cwd").readlink())
    except OSError:
        return "/"
