"""The threads that there are: by group and by where they stand, as a profile, and as the text that Go writes for debug=2."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.leaks import THREAD_GROUPS, THREADS, History, Suspect, Thresholds
from runtime_exporter.profiling.naming import label, waits
from runtime_exporter.profiling.offcpu import Wait, classify
from runtime_exporter.profiling.profile import Label, Profile, Stack, build
from runtime_exporter.profiling.pythonstack import python_stack
from runtime_exporter.profiling.samplers.frames import current_frames, gil_enabled
from runtime_exporter.profiling.threadgroup import thread_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import FrameType

SIGNATURE_FRAMES: Final = 5
"""Frames of a signature: enough to tell who started what, few enough that recursion and the last line do not matter."""


class ThreadState(NamedTuple):
    """A thread at a moment. `native_id` is 0 where the system has none; `stack` is leaf first."""

    identifier: int
    native_id: int
    name: str
    group: str
    daemon: bool
    stack: Stack

    @property
    def wait(self) -> Wait | None:
        """What it waits for, if it waits: a stack alone does not tell whether its thread runs."""
        return classify(self.stack)


def readable_frames() -> Mapping[int, FrameType]:
    """Return the frames of the other threads; none in an interpreter without a GIL, where to read them is not safe."""
    return current_frames() if gil_enabled() else {}


def inventory(
    *,
    threads: Callable[[], Iterable[threading.Thread]] = threading.enumerate,
    frames: Callable[[], Mapping[int, FrameType]] = readable_frames,
) -> tuple[ThreadState, ...]:
    """Return all Python threads, in order of identifiers; the calling one's stack ends in this function's caller."""
    known = {thread.ident: thread for thread in threads() if thread.ident is not None}
    standing = {**frames(), threading.get_ident(): sys._getframe(1)}  # noqa: SLF001 - our own frame
    return tuple(
        _state(identifier, known.get(identifier), standing.get(identifier))
        for identifier in sorted(known.keys() | standing.keys())
    )


def _state(identifier: int, thread: threading.Thread | None, frame: FrameType | None) -> ThreadState:
    stack = python_stack(frame)
    if thread is None:  # started by an extension, or so new that `threading` does not list it yet
        return ThreadState(identifier, 0, "unknown", "unknown", True, stack)
    return ThreadState(identifier, thread.native_id or 0, thread.name, thread_group(thread), thread.daemon, stack)


def signature(stack: Stack) -> str:
    """Return what the stacks of threads that do the same job share: up to 5 functions, outermost first.

    The machinery of threads and of waiting is left out, and lines, so that a signature outlives a step of the program.
    """
    names = [label(frame) for frame in stack if not waits(frame.name)]
    return " > ".join(reversed(names[-SIGNATURE_FRAMES:])) or (label(stack[-1]) if stack else "")


def groups(states: Iterable[ThreadState]) -> Counter[tuple[str, str]]:
    """Return how many threads there are of each group and signature."""
    return Counter((state.group, signature(state.stack)) for state in states)


class ThreadHistory:
    """How many threads there were of each group and signature, look by look."""

    def __init__(self, *, most_signatures: int = 200) -> None:
        self._history = History(most_sites=most_signatures)

    def look(self, states: Iterable[ThreadState], at: float) -> None:
        """Add a look at `at` (Unix seconds)."""
        counts = groups(states)
        self._history.add(at, {f"{group} in {where}": count for (group, where), count in counts.items()})

    def suspects(self, *, started: float, thresholds: Thresholds = THREAD_GROUPS) -> list[Suspect]:
        """Return the groups that grow and grow, steepest first. `started`: when the process began (Unix seconds)."""
        return self._history.suspects(kind=THREADS, unit=THREADS, thresholds=thresholds, started=started)


def thread_profile(
    states: Iterable[ThreadState], *, kind: str = "threads", now: Callable[[], int] = time.time_ns
) -> Profile:
    """Return the threads as a profile of counts by stack: `threads/count`, or for kind "goroutine" as Go names it."""
    counts: Counter[tuple[Stack, str, str]] = Counter()
    for state in states:
        wait = state.wait
        counts[state.stack, state.group, wait.kind if wait else ""] += 1
    stacks = [
        (stack, (count,), (Label("thread_group", group), *((Label("wait", wait),) if wait else ())))
        for (stack, group, wait), count in counts.items()
    ]
    return build(kind, stacks, time_nanos=now())


def thread_text(states: Iterable[ThreadState]) -> str:
    """Return all threads with their stacks, leaf first, laid out as Go's goroutine?debug=2 is.

    A thread that seems to wait is shown as "[lock]" and so on, one that waits for work as "[idle]".
    """
    return "\n".join(f"{_head(state)}\n{stack_text(state.stack)}" for state in states)


def _head(state: ThreadState) -> str:
    wait = state.wait
    what = [wait.kind if wait else "unknown", *(["daemon"] if state.daemon else [])]
    native = f" tid {state.native_id}" if state.native_id else ""
    return f'thread {state.identifier} "{state.name}"{native} [{", ".join(what)}]:'


def stack_text(stack: Stack) -> str:
    """Return a stack, leaf first, as two lines a frame: the function, and its file and line behind a tab."""
    return "".join(f"{frame.name}()\n\t{frame.file}:{frame.line}\n" for frame in stack)
