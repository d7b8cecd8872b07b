import ctypes

import pytest

from runtime_exporter import freethreading
from runtime_exporter.collectors import malloc
from runtime_exporter.collectors.malloc import Heap, MallocCollector
from runtime_exporter.errors import NoData


def test_the_heap_is_exposed(values):
    collector = MallocCollector(lambda: Heap(in_use=1000, free=200))

    collector.update()

    assert {"process_malloc_inuse_bytes": 1000, "process_malloc_free_bytes": 200} == values(collector)


def test_an_empty_heap_is_that_of_another_allocator():
    with pytest.raises(NoData, match="another allocator"):
        MallocCollector(lambda: Heap(in_use=0, free=0)).update()


def test_a_c_library_without_the_function_has_no_data(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())

    with pytest.raises(NoData, match=r"glibc 2\.33"):
        MallocCollector().update()


@pytest.mark.skipif(freethreading.BUILD, reason="takes its memory from mimalloc, not from the C library")
def test_memory_from_malloc_shows_and_goes():
    heap = malloc.glibc_heap()
    before = heap().in_use
    block = ctypes.create_string_buffer(50_000_000)
    during = heap().in_use
    del block

    assert during - before >= 49_000_000  # other threads may free a little meanwhile
    assert heap().in_use < during - 40_000_000
