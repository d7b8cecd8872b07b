"""Which function a line of a source file belongs to, for profiles that know only file and line."""

from __future__ import annotations

import inspect
import sys
from bisect import bisect_right
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime_exporter.profiling.profile import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class _Beginning(NamedTuple):
    """From `line` on, up to the next beginning, lines are of the function `qualname` that starts at `start`."""

    line: int
    qualname: str
    start: int


class _Reader(SourceFileLoader):
    """Reads what Python compiled before, or else compiles, and writes nothing."""

    def set_data(self, *_: Any, **__: Any) -> None:
        """Write no compiled file."""


def module_code(file: str) -> CodeType | None:
    """Return the code of a source file; None where it cannot be had.

    Not its syntax tree: before Python 3.13 two threads that make one disturb each other (SystemError: AST constructor recursion
    depth mismatch), and the other thread may be the application's.
    """
    name = "source"
    try:
        return _Reader(name, file).get_code(name)
    except (OSError, ImportError, SyntaxError, ValueError, EOFError, RecursionError, MemoryError):
        return None


class SourceFunctions:
    """Names lines as `module:qualname`; a file whose code cannot be had has only `module:?`."""

    def __init__(
        self,
        *,
        code: Callable[[str], CodeType | None] = module_code,
        modules: Mapping[str, Any] = sys.modules,
        most_files: int = 500,
    ) -> None:
        self._code = code
        self._most_files = most_files
        self._files: dict[str, tuple[_Beginning, ...]] = {}
        self._modules = {file: name for name, module in list(modules.items()) if isinstance(file := _file(module), str)}

    def frame(self, file: str, line: int, *, read: bool = True) -> Frame:
        """Return the frame of a line; unless told to `read`, without the function where the file is not known yet."""
        module = self._modules.get(file) or file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
        beginnings = self._beginnings(file) if read else self._files.get(file, ())
        place = bisect_right(beginnings, line, key=lambda beginning: beginning.line) - 1
        if place < 0:
            return Frame(f"{module}:?", file, line)
        return Frame(f"{module}:{beginnings[place].qualname}", file, line, beginnings[place].start)

    def _beginnings(self, file: str) -> tuple[_Beginning, ...]:
        known = self._files.get(file)
        if known is None:
            known = self._read(file) if len(self._files) < self._most_files else ()
            self._files[file] = known
        return known

    def _read(self, file: str) -> tuple[_Beginning, ...]:
        code = self._code(file)
        if code is None:
            return ()
        module = _Beginning(1, "<module>", 1)
        return (module, *sorted(_functions(code, "", module), key=lambda beginning: beginning.line))


def _functions(code: CodeType, prefix: str, around: _Beginning) -> Iterator[_Beginning]:
    """Yield where functions begin within `code`, whose own lines are of `around`, and where they end and it goes on."""
    for inner in code.co_consts:
        # From Python 3.14 on annotations are code of their own (PEP 649), which begins where the function does that they are of.
        if not isinstance(inner, CodeType) or inner.co_name == "__annotate__":
            continue
        if inner.co_name.startswith("<"):  # a comprehension or lambda is a part of the function that it is in
            yield from _functions(inner, prefix, around)
            continue
        begins = _Beginning(inner.co_firstlineno, prefix + inner.co_name, inner.co_firstlineno)
        nested = f"{begins.qualname}.<locals>." if inner.co_flags & inspect.CO_OPTIMIZED else f"{begins.qualname}."
        yield begins
        yield from _functions(inner, nested, begins)
        yield around._replace(line=_last_line(inner) + 1)


def _last_line(code: CodeType) -> int:
    own = (line for _, _, line in code.co_lines() if line)
    nested = (_last_line(inner) for inner in code.co_consts if isinstance(inner, CodeType))
    return max([code.co_firstlineno, *own, *nested])


def _file(module: Any) -> object:
    try:
        return module.__dict__.get("__file__")
    except Exception:  # noqa: BLE001 - sys.modules may hold anything
        return None
