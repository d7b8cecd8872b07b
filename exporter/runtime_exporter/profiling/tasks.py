"""The tasks of asyncio: by coroutine, and where each is suspended."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runtime_exporter.profiling.leaks import TASKS, THREAD_GROUPS, History, Suspect, Thresholds
from runtime_exporter.profiling.profile import Frame, Label, Profile, Stack, ValueType, build
from runtime_exporter.profiling.pythonstack import DEEPEST, python_frame
from runtime_exporter.profiling.threads import stack_text

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping

_TASKS: Final = ValueType("tasks", "count")
# What a coroutine, a generator and an asynchronous generator call their frame and what they wait for.
_FLAVOURS: Final = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


class TaskState(NamedTuple):
    """A task that is not done. `coroutine` is its qualified name (a task's own name may be of any number); `stack` is leaf first."""

    coroutine: str
    stack: Stack


def tasks(loops: Iterable[asyncio.AbstractEventLoop]) -> tuple[TaskState, ...]:
    """Return the tasks of the loops, which may run in other threads."""
    return tuple(state for loop in loops for task in _of(loop) if (state := _state(task)) is not None)


def _of(loop: asyncio.AbstractEventLoop) -> Iterable[asyncio.Task[Any]]:
    import asyncio  # who has a loop has imported it; others shall not pay for it

    try:
        return asyncio.all_tasks(loop)
    except RuntimeError:  # the set changed under its eyes a thousand times
        return ()


def _state(task: asyncio.Task[Any]) -> TaskState | None:
    coroutine: Any = task.get_coro()
    if coroutine is None:  # an eager task of Python 3.12 that has ended
        return None
    stack = suspended(coroutine)
    module = stack[-1].name.partition(":")[0] if stack else getattr(coroutine, "__module__", None) or "?"
    name = getattr(coroutine, "__qualname__", type(coroutine).__qualname__)
    return TaskState(f"{module}:{name}", stack)


def suspended(awaitable: Any) -> Stack:
    """Return where a coroutine is suspended, leaf first: what it awaits, what that awaits, and so on."""
    stack: list[Frame] = []
    while awaitable is not None and len(stack) < DEEPEST:
        for frame_name, next_name in _FLAVOURS:
            frame = getattr(awaitable, frame_name, None)
            if frame is not None:
                stack.append(python_frame(frame))
                awaitable = getattr(awaitable, next_name, None)
                break
        else:
            break
    return tuple(reversed(stack))


def coroutines(states: Iterable[TaskState]) -> Counter[str]:
    """Return how many tasks there are of each coroutine."""
    return Counter(state.coroutine for state in states)


class TaskHistory:
    """How many tasks there were of each coroutine, look by look."""

    def __init__(self, *, most_coroutines: int = 200) -> None:
        self._history = History(most_sites=most_coroutines)

    def look(self, states: Iterable[TaskState], at: float) -> None:
        """Add a look at `at` (Unix seconds)."""
        self.count(coroutines(states), at)

    def count(self, counts: Mapping[str, float], at: float) -> None:
        """Add a look at `at` by somebody else, who counted the tasks of each coroutine."""
        self._history.add(at, counts)

    def suspects(self, *, started: float, thresholds: Thresholds = THREAD_GROUPS) -> list[Suspect]:
        """Return the coroutines of which there are ever more tasks, steepest first."""
        return self._history.suspects(kind=TASKS, unit=TASKS, thresholds=thresholds, started=started)


def task_profile(states: Iterable[TaskState], *, now: Callable[[], int] = time.time_ns) -> Profile:
    """Return the tasks as a profile of counts by the stack that they are suspended at."""
    counts = Counter(states)
    stacks = [
        (state.stack or (Frame(state.coroutine),), (count,), (Label("coroutine", state.coroutine),))
        for state, count in counts.items()
    ]
    return build((_TASKS,), stacks, time_nanos=now(), period_type=_TASKS)


def task_text(states: Iterable[TaskState]) -> str:
    """Return the tasks by coroutine and stack, most first, laid out as Go's goroutine?debug=2 is, equal ones counted once."""
    return "\n".join(
        f"{count} task{'s' if count > 1 else ''} {state.coroutine}:\n{stack_text(state.stack)}"
        for state, count in Counter(states).most_common()
    )
