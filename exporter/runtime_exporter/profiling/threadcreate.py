"""What each thread was started with: the function that it began in, as far as Python still knows."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.profiling.profile import Frame, Label, Profile, ValueType, build
from runtime_exporter.profiling.pythonstack import qualname
from runtime_exporter.profiling.threadgroup import thread_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MEANING: Final = (
    "threads that are alive, by the function that each was started with; Python does not record who started them"
)
_TYPE: Final = ValueType("threadcreate", "count")
_PROGRAM: Final = Frame("(main thread)")
_FOREIGN: Final = Frame("(not started by threading)")
_UNKNOWN: Final = Frame("(unknown function)")
_MOST_WRAPPERS: Final = 10


def threadcreate_profile(
    threads: Callable[[], Iterable[threading.Thread]] = threading.enumerate,
    *,
    now: Callable[[], int] = time.time_ns,
) -> Profile:
    """Return the living threads by the function that each was started with, `threadcreate/count` as Go has it."""
    counts = Counter((entry(thread), thread_group(thread)) for thread in threads())
    stacks = [((place,), (count,), (Label("thread_group", group),)) for (place, group), count in counts.items()]
    return build((_TYPE,), stacks, time_nanos=now(), comments=(MEANING,))


def entry(thread: threading.Thread) -> Frame:
    """Return the function that a thread was started with: the target, or the `run` of a subclass of Thread."""
    if thread is threading.main_thread():
        return _PROGRAM
    if isinstance(thread, threading._DummyThread):  # noqa: SLF001 - there is no other way to tell
        return _FOREIGN
    run = type(thread).run
    if run is not threading.Thread.run:
        return _place(run)
    # Deleted by the thread when its function has returned.
    return _place(getattr(thread, "_target", None))


def _place(function: Any) -> Frame:
    """Return where a function is defined, of what it is wrapped in by partial and by binding. Calls nothing of the application."""
    for _ in range(_MOST_WRAPPERS):
        if type(function) is partial:
            function = function.func
        elif type(function) is MethodType:
            function = function.__func__
        else:
            break
    if type(function) is FunctionType:
        return _defined(function.__code__, function.__module__)
    if function is None:
        return _UNKNOWN
    kind = function if isinstance(function, BuiltinFunctionType) else type(function)  # an object that can be called
    return Frame(f"{kind.__module__ or '?'}:{kind.__qualname__}")


def _defined(code: CodeType, module: object) -> Frame:
    name = module if type(module) is str else "?"
    return Frame(f"{name}:{qualname(code)}", code.co_filename, code.co_firstlineno, code.co_firstlineno)
