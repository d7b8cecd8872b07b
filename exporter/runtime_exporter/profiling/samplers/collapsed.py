"""The text that py-spy writes with `--format raw`: a stack a line, root first, and how often it was seen."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.profile import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runtime_exporter.profiling.profile import Stack

_FRAME = re.compile(r"(?P<name>.*?) \((?P<file>.*?)(?::(?P<line>\d+))?\)", re.DOTALL)
_THREAD = re.compile(r"thread \((?P<number>0x[0-9A-Fa-f]+|\d+)\)(?:: (?P<name>.*))?", re.DOTALL)
_FROZEN = re.compile(r"<frozen (.+)>")

TYPED: Final[Mapping[str, str]] = {"<string>": "__main__", "<stdin>": "__main__"}
"""The modules of a program that came as an argument (`python -c`) or by standard input, and so has no file."""


class Line(NamedTuple):
    """A stack of a thread, which py-spy calls by its native id or, before Python 3.11, by its identifier. Seen in `samples`."""

    thread: int
    thread_name: str
    stack: Stack
    samples: int


def parse(text: str, modules: Mapping[str, str]) -> Iterator[Line]:
    """Yield the stacks of a text; `modules` says which module a file is. What is no such line is left out."""
    for row in text.splitlines():
        path, _, count = row.rpartition(" ")
        if not path or not count.isdecimal():
            continue
        first, *rest = path.split(";")
        thread = _THREAD.fullmatch(first)
        names = rest if thread else [first, *rest]
        stack = tuple(_frame(name, modules) for name in reversed(names))
        yield Line(
            int(thread["number"], 0) if thread else 0, (thread["name"] or "") if thread else "", stack, int(count)
        )


def modules_by_file() -> Mapping[str, str]:
    """Return the module that each source file is, of what this process has imported."""
    main = _main_file()
    found = {main: "__main__"} if main else dict(TYPED)
    for name, module in tuple(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str):
            found.setdefault(file, name)
    return found


def _main_file() -> str:
    """Return the file of the program, also at its exit, when Python has taken `__file__` away; empty where it has none."""
    names = getattr(sys.modules.get("__main__"), "__dict__", {})
    file = names.get("__file__") or getattr(names.get("__loader__"), "path", None)
    return file if isinstance(file, str) else ""


def _frame(text: str, modules: Mapping[str, str]) -> Frame:
    match = _FRAME.fullmatch(text)
    if match is None:
        return Frame(text)
    file = match["file"]
    return Frame(f"{_module(file, modules)}:{match['name']}", file, int(match["line"] or 0))


def _module(file: str, modules: Mapping[str, str]) -> str:
    """Return the module of a file, guessed from its name if it is not known."""
    known = modules.get(file)
    if known:
        return known
    frozen = _FROZEN.fullmatch(file)
    if frozen:
        return frozen[1]
    directory, _, base = file.rpartition("/")
    stem = base.rpartition(".")[0] or base
    return stem if stem != "__init__" else directory.rpartition("/")[2] or stem
