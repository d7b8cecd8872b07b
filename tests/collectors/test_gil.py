import threading

import pytest

from runtime_exporter.collectors.gil import GilCollector


def test_the_wait_is_what_comes_on_top_of_the_nap(clock, values):
    collector = GilCollector(clock=clock, sleep=lambda seconds: clock.advance(seconds + 0.02))

    collector.update()
    ours = values(collector)

    assert pytest.approx(0.02) == ours["python_gil_wait_seconds_sum"]
    assert (0, 1) == (ours["python_gil_wait_seconds_bucket{le=0.01}"], ours["python_gil_wait_seconds_bucket{le=0.025}"])


def test_waking_up_too_early_is_no_wait(clock, values):
    collector = GilCollector(clock=clock, sleep=lambda seconds: clock.advance(seconds / 2))

    collector.update()

    assert 0 == values(collector)["python_gil_wait_seconds_sum"]


def test_a_thread_that_keeps_the_interpreter_busy_makes_the_probe_wait(values):
    stop = threading.Event()

    def spin():
        while not stop.is_set():
            pass

    collector = GilCollector()
    thread = threading.Thread(target=spin)
    thread.start()
    try:
        for _ in range(10):
            collector.update()
    finally:
        stop.set()
        thread.join()

    ours = values(collector)
    # The switch interval is 5 ms, and the spinning thread gives the GIL away no sooner.
    assert 10 == ours["python_gil_wait_seconds_count"]
    assert ours["python_gil_wait_seconds_sum"] > 0.005
