"""Deadlocks, by proof: threads that wait for each other in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.profiling.profile import Stack


class Edge(NamedTuple):
    """A thread that waits, without a timeout, for a lock that `holder` holds; `lock` says what and where created.

    `bound`: nobody but the holder will release the lock (an RLock, or a Lock held by `with`).
    """

    waiter: int
    holder: int
    lock: str
    seconds: float
    bound: bool
    stack: Stack


Deadlock = tuple[Edge, ...]
"""The edges of a circle, each one's holder the next one's waiter, beginning with the smallest thread identifier."""

STANDING = 10.0
"""Seconds that a circle must stand if another thread might release one of its locks: a Lock taken by `acquire()`."""


def deadlocks(edges: Iterable[Edge], *, standing: float = STANDING) -> tuple[Deadlock, ...]:
    """Return the circles among the edges. A thread waits for one lock at a time, so no thread is in two of them.

    A circle of locks that are bound to their holders is proof at once. With another Lock in it, the circle counts if it has two
    threads or more and has stood for `standing` seconds: one thread that waits for what it took itself may wait for a signal.
    """
    waits = {edge.waiter: edge for edge in edges}
    found: list[Deadlock] = []
    settled: set[int] = set()
    for start in waits:
        path: dict[int, None] = {}
        thread = start
        while thread in waits and thread not in settled and thread not in path:
            path[thread] = None
            thread = waits[thread].holder
        if thread in path:
            threads = [*path]
            found.append(_circle([waits[member] for member in threads[threads.index(thread) :]]))
        settled.update(path)
    return tuple(circle for circle in found if _proven(circle, standing))


def _circle(edges: list[Edge]) -> Deadlock:
    first = min(range(len(edges)), key=lambda place: edges[place].waiter)
    return (*edges[first:], *edges[:first])


def _proven(circle: Deadlock, standing: float) -> bool:
    if all(edge.bound for edge in circle):
        return True
    return len(circle) > 1 and min(edge.seconds for edge in circle) >= standing
