import asyncio
import contextvars
import gc
import threading
import time
import weakref
from types import SimpleNamespace

import pytest

from runtime_exporter.collectors.asyncio import LAG_BUCKETS_SECONDS, PERIOD_SECONDS, AsyncioCollector, coroutine_name
from runtime_exporter.errors import NoData


class Loop:
    """A loop that runs what it was given when it is told to, on a clock that is set."""

    def __init__(self, clock):
        self.clock = clock
        self.soon, self.later = [], []
        self.closed, self.running = False, True

    def call_soon_threadsafe(self, callback):
        if self.closed:
            raise RuntimeError("Event loop is closed")
        self.soon.append(callback)

    def call_later(self, delay, callback):
        self.later.append((self.clock() + delay, callback))

    def is_closed(self):
        return self.closed

    def is_running(self):
        return self.running

    def run(self):
        """Run what is due."""
        ready, self.soon = self.soon, []
        due = [item for item in self.later if item[0] <= self.clock()]
        self.later = [item for item in self.later if item not in due]
        for callback in (*ready, *(callback for _, callback in due)):
            callback()


@pytest.fixture
def loop(clock):
    return Loop(clock)


@pytest.fixture
def collector(clock):
    return AsyncioCollector(
        clock=clock,
        modules={"asyncio": SimpleNamespace(all_tasks=lambda _: set(), get_running_loop=asyncio.get_running_loop)},
    )


def lag(values, collector):
    ours = values(collector)
    return ours["python_asyncio_loop_lag_seconds_count"], pytest.approx(ours["python_asyncio_loop_lag_seconds_sum"])


def test_without_a_loop_there_is_no_data(collector):
    with pytest.raises(NoData):
        collector.update()


def test_a_loop_that_is_on_time_has_no_lag(collector, loop, clock, values):
    collector.watch(loop)
    loop.run()
    for _ in range(4):
        clock.advance(PERIOD_SECONDS)
        loop.run()
    collector.update()

    assert (4, 0) == lag(values, collector)


def test_a_late_beat_is_counted_as_late_as_it_was(collector, loop, clock, values):
    collector.watch(loop)
    loop.run()
    clock.advance(PERIOD_SECONDS + 0.1)
    loop.run()
    collector.update()

    assert (1, 0.1) == lag(values, collector)


def test_beats_missed_while_the_loop_was_blocked_are_counted_too(collector, loop, clock, values):
    collector.watch(loop)
    loop.run()
    clock.advance(PERIOD_SECONDS + 1.0)
    loop.run()
    collector.update()

    assert (5, 1.0 + 0.75 + 0.5 + 0.25 + 0) == lag(values, collector)


def test_a_loop_that_is_blocked_shows_before_it_runs_again_and_each_beat_once(collector, loop, clock, values):
    collector.watch(loop)
    loop.run()
    clock.advance(PERIOD_SECONDS + 2.0)
    collector.update()
    blocked = lag(values, collector)
    clock.advance(0.5)
    collector.update()
    longer = lag(values, collector)
    loop.run()
    collector.update()

    # Of the 9 beats due in 2 s those that are late by a second or more, as late as they are by then.
    assert (5, 2.0 + 1.75 + 1.5 + 1.25 + 1.0) == blocked
    assert (7, 7.5 + 1.25 + 1.0) == longer
    assert (11, 9.75 + 0.75 + 0.5 + 0.25 + 0) == lag(values, collector)


def test_a_loop_blocked_for_days_does_not_keep_the_collector_busy(collector, loop, clock, values):
    collector.watch(loop)
    loop.run()
    clock.advance(1_000_000)
    loop.run()
    collector.update()

    assert 10_000 == lag(values, collector)[0]


def test_a_loop_that_nobody_runs_is_not_late(collector, loop, clock, values):
    collector.watch(loop)
    loop.run()
    loop.running = False
    clock.advance(60)
    collector.update()
    loop.running = True
    loop.run()
    clock.advance(PERIOD_SECONDS + 0.1)
    loop.run()
    collector.update()

    assert (1, 0.1) == lag(values, collector)


def test_watching_a_loop_twice_gives_it_one_heart(collector, loop):
    collector.watch(loop)
    collector.watch(loop)

    assert 1 == len(loop.soon)


def test_a_closed_loop_is_forgotten(collector, loop, clock):
    collector.watch(loop)
    loop.run()
    loop.closed = True
    collector.update()

    assert {} == collector._hearts


def test_a_loop_that_is_closed_already_raises_nothing(collector, loop):
    loop.closed = True
    collector.watch(loop)
    collector.update()

    assert {} == collector._hearts


def test_a_loop_that_was_collected_is_forgotten_and_its_place_is_taken(collector, clock):
    loop = Loop(clock)
    collector.watch(loop)
    key = id(loop)
    loop.soon.clear()
    del loop
    other = Loop(clock)
    collector._hearts[id(other)] = collector._hearts.pop(key)

    collector.watch(other)

    assert collector._hearts[id(other)].loop() is other


def test_a_loop_that_allows_no_weak_reference_is_held(collector, clock, values):
    class Bare:
        __slots__ = ("inner",)

        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

    loop = Bare(Loop(clock))
    collector.watch(loop)
    loop.run()
    clock.advance(PERIOD_SECONDS + 0.1)
    loop.run()
    collector.update()

    assert (1, 0.1) == lag(values, collector)


def test_after_close_hearts_stop_and_no_loop_is_taken(collector, loop, clock):
    collector.watch(loop)
    loop.run()
    collector.close()
    clock.advance(PERIOD_SECONDS)
    loop.run()
    collector.watch(loop)

    assert ([], []) == (loop.soon, loop.later)


def test_after_another_start_loops_are_taken_again(collector, loop):
    collector.close()
    collector.start()
    collector.watch(loop)

    assert 1 == len(loop.soon)


def test_the_child_of_a_fork_forgets_the_parents_loops_and_takes_its_own(collector, loop, clock):
    collector.watch(loop)
    collector.forked()
    forgotten = dict(collector._hearts)
    collector.watch(loop)

    assert ({}, 1) == (forgotten, len(collector._hearts))


def test_tasks_are_counted_by_the_name_of_their_coroutine(clock, loop, values):
    class Orders:
        async def place(self):
            pass

    coroutines = [Orders().place(), Orders().place()]
    tasks = [SimpleNamespace(get_coro=lambda c=c: c) for c in (*coroutines, object())]
    collector = AsyncioCollector(clock=clock, modules={"asyncio": SimpleNamespace(all_tasks=lambda _: tasks)})
    collector.watch(loop)
    collector.update()
    during = {name: value for name, value in values(collector).items() if "tasks" in name}
    tasks.clear()
    collector.update()
    for coroutine in coroutines:
        coroutine.close()

    place = "python_asyncio_tasks{coroutine=" + Orders.place.__qualname__ + "}"
    assert {place: 2, "python_asyncio_tasks{coroutine=object}": 1} == during
    assert 0 == values(collector)[place]


@pytest.mark.parametrize("modules", [{}, {"asyncio": SimpleNamespace(all_tasks=lambda _: 1 / 0)}])
def test_tasks_that_cannot_be_read_are_none(clock, loop, values, modules):
    if modules:
        modules["asyncio"].all_tasks = _changing
    collector = AsyncioCollector(clock=clock, modules=modules)
    collector.watch(loop)
    collector.update()

    assert [] == [name for name in values(collector) if "tasks" in name]


def _changing(_):
    raise RuntimeError("Set changed size during iteration")


def test_coroutines_beyond_the_limit_are_one_and_are_counted(clock, loop, values):
    class Named:
        def __init__(self, number):
            self.__qualname__ = f"job_{number}"

    tasks = [SimpleNamespace(get_coro=lambda n=n: Named(n)) for n in range(10)]
    collector = AsyncioCollector(3, clock=clock, modules={"asyncio": SimpleNamespace(all_tasks=lambda _: tasks)})
    collector.watch(loop)
    collector.update()

    assert 7 == values(collector)["python_asyncio_tasks{coroutine=other}"]
    assert {"python_asyncio_tasks": 7} == collector.folded()


def test_the_name_of_something_awaitable_is_that_of_its_type():
    assert "int" == coroutine_name(5)


@pytest.fixture
def running_loop():
    """A real event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def until(condition, update):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
        update()


async def slumber():
    await asyncio.sleep(3600)


def test_a_real_loop_that_blocks_is_seen_while_it_blocks_and_its_tasks_are_counted(running_loop, values):
    collector = AsyncioCollector()
    collector.watch(running_loop)
    future = asyncio.run_coroutine_threadsafe(slumber(), running_loop)
    update = collector.update
    update()
    until(lambda: 1 == values(collector).get("python_asyncio_tasks{coroutine=slumber}"), update)
    until(lambda: values(collector)["python_asyncio_loop_lag_seconds_count"] >= 2, update)
    release = threading.Event()
    running_loop.call_soon_threadsafe(release.wait)

    def slow():
        ours = values(collector)
        return ours["python_asyncio_loop_lag_seconds_count"] - ours["python_asyncio_loop_lag_seconds_bucket{le=0.5}"]

    until(lambda: slow() >= 1, update)
    release.set()
    future.cancel()
    collector.close()

    assert 0.5 in LAG_BUCKETS_SECONDS


def test_a_collector_that_is_started_from_a_coroutine_watches_its_loop(running_loop, values):
    collector = AsyncioCollector()

    async def program():
        collector.start()

    asyncio.run_coroutine_threadsafe(program(), running_loop).result(10)
    until(lambda: collector.families[0].counts()[-1] > 0, collector.update)
    collector.close()


def test_the_beats_of_a_loop_keep_nothing_of_the_request_that_announced_it(running_loop):
    collector = AsyncioCollector()
    variable = contextvars.ContextVar("request")

    class Request:
        pass

    async def serve():
        request = Request()
        variable.set(request)
        collector.watch(asyncio.get_running_loop())
        return weakref.ref(request)

    request = asyncio.run_coroutine_threadsafe(serve(), running_loop).result(10)
    until(lambda: collector.families[0].sum or collector.families[0].counts()[-1] > 1, collector.update)
    gc.collect()

    assert None is request()
    collector.close()


def test_closing_while_the_loop_is_blocked_does_not_wait(running_loop):
    collector = AsyncioCollector()
    collector.watch(running_loop)
    release = threading.Event()
    running_loop.call_soon_threadsafe(release.wait)
    collector.update()

    collector.close()

    assert not release.is_set()
    release.set()


def test_importing_the_collectors_does_not_import_what_the_program_may_not_use():
    import subprocess
    import sys

    program = (
        "import sys, prometheus_client; before = set(sys.modules); import runtime_exporter.collectors.asyncio, runtime_exporter.collectors.malloc, "
        "runtime_exporter.collectors.process, runtime_exporter.collectors.host; "
        "print(sorted({'asyncio', 'psutil'} & (set(sys.modules) - before)) if 'asyncio' not in before else [])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() in ("[]", "['asyncio']")
