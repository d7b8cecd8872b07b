"""Which function a line of a source file belongs to, for profiles that know only file and line."""

from __future__ import annotations

import ast
import linecache
import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime_exporter.profiling.profile import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_LARGEST = 2_000_000  # characters of a file that is parsed; larger ones are generated tables


class _Beginning(NamedTuple):
    """From `line` on, up to the next beginning, lines are of the function `qualname` that starts at `start`."""

    line: int
    qualname: str
    start: int


class SourceFunctions:
    """Names lines as `module:qualname`; a file that cannot be read or parsed has only `module:?`."""

    def __init__(
        self,
        *,
        source: Callable[[str], Sequence[str]] = linecache.getlines,
        modules: Mapping[str, Any] = sys.modules,
        most_files: int = 500,
    ) -> None:
        self._source = source
        self._most_files = most_files
        self._files: dict[str, tuple[_Beginning, ...]] = {}
        self._modules = {file: name for name, module in list(modules.items()) if isinstance(file := _file(module), str)}

    def frame(self, file: str, line: int) -> Frame:
        """Return the frame of a line."""
        module = self._modules.get(file) or file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
        beginnings = self._beginnings(file)
        place = bisect_right(beginnings, line, key=lambda beginning: beginning.line) - 1
        if place < 0:
            return Frame(f"{module}:?", file, line)
        return Frame(f"{module}:{beginnings[place].qualname}", file, line, beginnings[place].start)

    def _beginnings(self, file: str) -> tuple[_Beginning, ...]:
        known = self._files.get(file)
        if known is None:
            known = self._parse(file) if len(self._files) < self._most_files else ()
            self._files[file] = known
        return known

    def _parse(self, file: str) -> tuple[_Beginning, ...]:
        text = "".join(self._source(file))
        if not text or len(text) > _LARGEST:
            return ()
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ()
        module = _Beginning(1, "<module>", 1)
        return (module, *_functions(tree, "", module))


def _functions(node: ast.AST, prefix: str, around: _Beginning) -> Iterator[_Beginning]:
    """Yield where functions begin within `node`, whose own lines are of `around`, and where they end and it goes on."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            # As a code object has it, a function begins with its first decorator.
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
            inner = _Beginning(first, prefix + child.name, first)
            nested = f"{inner.qualname}.<locals>."
        elif isinstance(child, ast.ClassDef):
            inner = _Beginning(child.lineno, prefix + child.name, child.lineno)
            nested = f"{inner.qualname}."
        else:
            yield from _functions(child, prefix, around)
            continue
        yield inner
        yield from _functions(child, nested, inner)
        yield around._replace(line=(child.end_lineno or child.lineno) + 1)


def _file(module: Any) -> object:
    try:
        return module.__dict__.get("__file__")
    except Exception:  # noqa: BLE001 - sys.modules may hold anything
        return None
