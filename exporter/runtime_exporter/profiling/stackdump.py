"""Where every Python thread is at this moment: as a profile, and as the texts that Go prints of its goroutines."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.profile import Label, build
from runtime_exporter.profiling.samplers.frames import current_frames, gil_enabled
from runtime_exporter.profiling.samplers.roster import Roster
from runtime_exporter.profiling.samplers.stacks import StackTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from runtime_exporter.profiling.profile import Profile, Stack


class ThreadStack(NamedTuple):
    """A thread: its native id (0 where unknown), its name, its group, and its stack, leaf first."""

    native_id: int
    name: str
    group: str
    stack: Stack


def dump(
    *,
    frames: Callable[[], dict[int, FrameType]] = current_frames,
    roster: Roster | None = None,
    gil: Callable[[], bool] = gil_enabled,
) -> tuple[ThreadStack, ...]:
    """Return every Python thread but the one that asks, by native id.

    Raises ProfileError on a build without a GIL, where other threads' frames are not safe to read.
    """
    if not gil():
        raise ProfileError("threads cannot be looked at without a GIL: their frames are not safe to read")
    roster = roster or Roster()
    roster.refresh()
    table = StackTable()
    found = frames()
    try:
        keys = [(roster.member(ident), table.key(frame)) for ident, frame in found.items()]
    finally:
        found.clear()  # whoever keeps a frame keeps all that is in its variables
    rows = [ThreadStack(member.native_id, member.name, member.group, table.stack(key)) for member, key in keys]
    return tuple(sorted(rows, key=lambda row: (row.native_id, row.name)))


def profile_of(threads: Iterable[ThreadStack], *, clock: Callable[[], int] = time.time_ns) -> Profile:
    """Return threads in the shape of Go's goroutine profile: how many of a group have the same stack now."""
    counts = Counter((thread.stack, thread.group) for thread in threads)
    stacks = ((stack, (number,), (Label("thread_name", group),)) for (stack, group), number in counts.most_common())
    return build("goroutine", stacks, time_nanos=clock())


def grouped(threads: Iterable[ThreadStack]) -> str:
    """Return what Go prints for debug=1: a paragraph for each stack, with how many have it, most first."""
    every = tuple(threads)
    counts = Counter(thread.stack for thread in every)
    paragraphs = [
        f"{number} @\n" + "".join(f"#\t{frame.name}\t{frame.file}:{frame.line}\n" for frame in stack)
        for stack, number in counts.most_common()
    ]
    return f"goroutine profile: total {len(every)}\n" + "\n".join(paragraphs)


def listed(threads: Iterable[ThreadStack]) -> str:
    """Return what Go prints for debug=2: a paragraph for each thread, its name where Go tells what a goroutine waits for."""
    return "\n".join(
        f"goroutine {thread.native_id} [{thread.name or thread.group}]:\n"
        + "".join(f"{frame.name}(...)\n\t{frame.file}:{frame.line}\n" for frame in thread.stack)
        for thread in threads
    )
