"""Objects are counted without anybody else's tuples being held."""

import gc
import sys
import threading
import time

import pytest

from runtime_exporter.profiling import tracked


class Leaked:
    """What there are many of."""


LOOKS = {"count": lambda: tracked.count(2), "types": lambda: tracked.types(2, 1)}
each_look = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


def test_objects_and_their_types_are_counted():
    kept = [Leaked() for _ in range(1000)]
    gc.collect()
    types = tracked.types(2, 1)

    assert len(kept) == types.count(Leaked)
    assert tracked.count(2) == pytest.approx(len(types), rel=0.05)
    assert tracked.types(2, 7).count(Leaked) == pytest.approx(1000 / 7, abs=2)


@each_look
def test_no_code_of_python_runs_while_the_list_is_there(look):
    called = []
    sys.setprofile(lambda frame, event, argument: called.append(argument if event == "c_call" else frame.f_code))
    try:
        look()
    finally:
        sys.setprofile(None)

    assert called
    assert gc.get_objects not in called  # C has called it, and nothing is told of that


@each_look
@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was_before(look, enabled):
    (gc.enable if enabled else gc.disable)()
    try:
        look()
        assert enabled == gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="collections begin between two instructions of Python")
def test_no_collection_begins_meanwhile():
    seen = []

    def objects(_):
        seen.append(gc.isenabled())
        return []

    tracked.count(0, objects)
    tracked.types(0, 1, objects)

    assert [False, False] == seen


def test_a_tuple_that_another_thread_makes_is_made():
    stop, failed = threading.Event(), []

    def makes_tuples():
        while not stop.is_set():
            try:
                tuple(str(number) for number in range(200))
            except SystemError as error:
                failed.append(error)

    thread = threading.Thread(target=makes_tuples)
    thread.start()
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        for look in LOOKS.values():
            look()
    stop.set()
    thread.join(10)

    assert [] == failed
