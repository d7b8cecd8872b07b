"""What sends requests: the loop and the threads stay between turns, and the time is that of the requests."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import closing

import pytest
from benchmarks import drives
from benchmarks.drives import Threads, deep, drive_asgi, timed


async def ok(scope, receive, send):
    assert (await receive())["type"] == "http.request"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def test_all_turns_of_a_thread_have_one_loop():
    loops = []

    async def app(scope, receive, send):
        loops.append(asyncio.get_running_loop())
        await ok(scope, receive, send)

    drive_asgi(app, 2, 1)
    drive_asgi(app, 1, 1)
    assert 3 == len(loops)
    assert 1 == len(set(loops))
    assert not loops[0].is_closed()


def test_requests_are_for_the_last_of_the_routes_and_a_client_that_has_sent_its_own_says_nothing():
    async def app(scope, receive, send):
        assert "/items2/1" == scope["path"]
        await ok(scope, receive, send)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0.001)

    drive_asgi(app, 1, 3)


def test_requests_are_spread_over_threads_that_stay():
    seen = []
    everyone = threading.Barrier(4, timeout=30)

    def drive(app, requests, routes):
        everyone.wait()  # so no thread does the work of another
        seen.append((threading.get_ident(), app, requests, routes))

    with closing(Threads(4)) as threads:
        send = timed(drive, threads)
        for _ in range(3):
            send("app", 200, 7)
    assert 12 == len(seen)
    assert 4 == len({one for one, *_ in seen})
    assert {("app", 50, 7)} == {tuple(rest) for _, *rest in seen}


def test_threads_say_what_their_work_took_by_the_clocks_of_all(monkeypatch):
    own = threading.local()

    def clock():
        own.looks = getattr(own, "looks", 0) + 1
        return own.looks * 0.5

    monkeypatch.setattr(drives.time, "thread_time", clock)
    with closing(Threads(3)) as threads:
        assert 1.5 == threads.run(lambda: None)


def test_what_a_thread_raises_is_raised_where_it_was_asked_for_and_the_threads_stay():
    with closing(Threads(2)) as threads:
        with pytest.raises(ZeroDivisionError):
            threads.run(lambda: 1 // 0)
        assert threads.run(lambda: None) >= 0


def test_one_thread_is_the_asking_one_and_its_time_is_that_of_the_process(monkeypatch):
    now = itertools.count()
    monkeypatch.setattr(drives.time, "process_time", lambda: float(next(now)))
    driven = []
    send = timed(lambda *of: driven.append((threading.get_ident(), *of)))
    assert [1.0, 1.0] == [send("app", 5, 1), send("app", 5, 1)]
    assert [(threading.get_ident(), "app", 5, 1)] * 2 == driven


@pytest.mark.parametrize("levels", [0, 1, 31])
def test_work_is_done_once_however_deep(levels):
    done = []
    assert "answer" == deep(levels, lambda: done.append(1) or "answer")
    assert [1] == done
