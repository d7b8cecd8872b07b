"""Whose code a frame is: the application's, or that of a library, the standard library or the runtime."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from runtime_exporter.profiling.profile import Frame

_OWN: Final = "runtime_exporter"
_PYTHON_LIBRARY: Final = re.compile(
    r"[\\/](?:site|dist)-packages[\\/]|[\\/]lib(?:64)?[\\/]python3(?:\.\d+t?)?[\\/]|[\\/]python3\d*\.zip[\\/]|[\\/]Lib[\\/]"
)
_INSTALLED: Final = re.compile(r"[\\/](?:site|dist)-packages[\\/]")
_GO_LIBRARY: Final = re.compile(r"/pkg/mod/|/vendor/|@v\d")
_GO_STANDARD: Final = frozenset({
    "archive", "bufio", "bytes", "cmp", "compress", "container", "context", "crypto", "database", "debug",
    "embed", "encoding", "errors", "expvar", "flag", "fmt", "go", "hash", "html", "image",
    "index", "internal", "io", "iter", "log", "maps", "math", "mime", "net", "os",
    "path", "plugin", "reflect", "regexp", "runtime", "slices", "sort", "strconv", "strings", "structs",
    "sync", "syscall", "testing", "text", "time", "type", "unicode", "unique", "unsafe", "vendor",
    "weak",
})  # fmt: skip
"""First elements of the import paths of Go's standard library (go list std, Go 1.27)."""


def is_application(frame: Frame) -> bool:
    """Return whether a frame is of the program itself, and not of something that it installed or runs on."""
    return _is_application(frame.name, frame.file)


@lru_cache(maxsize=8192)
def is_standard(frame: Frame) -> bool:
    """Return whether a frame of Python code is of the standard library."""
    if frame.file.startswith("<frozen"):
        return True
    if _INSTALLED.search(frame.file):
        return False
    root = frame.name.partition(":")[0].partition(".")[0]
    return root in sys.stdlib_module_names and not is_application(frame)


@lru_cache(maxsize=8192)
def _is_application(name: str, file: str) -> bool:
    if name.startswith(("type:", "go:")):  # what Go's compiler makes: type:.eq.main.row
        return False
    if ":" in name or file.endswith(".py"):
        return _is_python_application(name.partition(":")[0], file)
    return _is_go_application(name, file)


def _is_python_application(module: str, file: str) -> bool:
    root = module.partition(".")[0]
    if root == _OWN or file.startswith("<frozen") or _PYTHON_LIBRARY.search(file):
        return False
    whole_path = file.startswith(("/", "\\")) or file[1:2] == ":"
    return whole_path or root not in sys.stdlib_module_names


def _is_go_application(name: str, file: str) -> bool:
    package = name.partition(".")[0].partition("/")[0]
    if name.startswith(("[", "<")) or package in _GO_STANDARD or not ("." in name or "/" in name):
        return False
    return _GO_LIBRARY.search(file) is None
