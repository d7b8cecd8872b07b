"""The native heap: what C code got from malloc, and what malloc keeps although nobody uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Gauge

if TYPE_CHECKING:
    from collections.abc import Callable

# struct mallinfo2 of glibc (mallinfo(3)): ten size_t, in this order.
_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class Heap(NamedTuple):
    """Bytes of the native heap."""

    in_use: int
    free: int


class MallocCollector(Collector):
    """glibc 2.33 and later. In the background: mallinfo2 walks every free chunk with the arenas locked.

    Python's own small objects live in arenas that pymalloc maps itself; see python_allocated_blocks for them.
    """

    name = "malloc"
    interval = 15.0

    def __init__(self, heap: Callable[[], Heap] | None = None) -> None:
        self._heap = heap
        self._in_use = Gauge(
            "process_malloc_inuse_bytes",
            "Bytes of the native heap that are in use, large mappings included.",
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._free = Gauge(
            "process_malloc_free_bytes",
            "Bytes of the native heap that are free but not returned: fragmentation.",
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self.families = (self._in_use, self._free)

    @property
    def free(self) -> float:
        """Bytes that malloc keeps though nobody uses them, as of the last update; 0 before the first."""
        return self._free.value()

    def update(self) -> None:
        """Ask the allocator."""
        self._heap = self._heap or glibc_heap()
        heap = self._heap()
        if not heap.in_use:
            raise NoData("glibc's heap is empty: another allocator is in its place")
        self._in_use.set(heap.in_use)
        self._free.set(heap.free)


def glibc_heap() -> Callable[[], Heap]:
    """Return a function that reads glibc's heap; raises `NoData` where there is no mallinfo2."""
    # Imported here: ctypes costs a megabyte, which a process that leaves this collector out keeps.
    import ctypes

    class MallInfo(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]

    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError) as missing:
        raise NoData("the C library has no mallinfo2 (glibc 2.33 and later have)") from missing
    mallinfo2.restype = MallInfo

    def read() -> Heap:
        info = mallinfo2()
        return Heap(in_use=info.uordblks + info.hblkhd, free=info.fordblks)

    return read
