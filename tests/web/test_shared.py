"""One exposition for all who ask at once, and no more than the budget has room for."""

import gzip
import os
import threading
import time

import pytest

from runtime_exporter.metrics.exposition import OPENMETRICS, TEXT
from runtime_exporter.web.app import application_of
from runtime_exporter.web.metrics_page import make_metrics_page
from runtime_exporter.web.page import Route
from runtime_exporter.web.shared import LONGEST_SECONDS, SharedExposition, shared
from tools import wait_for


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Writer:
    """Writes how often it has written, and takes its time."""

    def __init__(self, act=lambda: None):
        self.calls = 0
        self.act = act

    def __call__(self, form, names=None):
        self.calls += 1
        self.act()
        return f"{form.content_type} {names} {self.calls}\n".encode()


@pytest.fixture
def clock():
    return Clock()


def counted(exposition):
    (family,) = exposition.families
    return {s.labels["exposition"]: s.value for m in family.collect() for s in m.samples if s.name.endswith("_total")}


def test_one_after_the_other_each_gets_a_new_one():
    one = shared(Writer())
    bodies = [one.get(TEXT)[0].body[-2:] for _ in range(3)]

    assert [b"1\n", b"2\n", b"3\n"] == bodies
    assert 3 == counted(one)["fresh"]


def test_a_hundred_at_once_are_two_of_which_everybodys_was_begun_after_he_came():
    begun, release = threading.Event(), threading.Event()

    def wait():
        begun.set()
        release.wait(30)

    looks = []  # at the clock: who asks looks once, first of all, and so do who is made and each that is written

    def clock():
        looks.append(None)
        return time.monotonic()

    writer = Writer(wait)
    one, got = SharedExposition(writer, patience=30.0, clock=clock), []

    def ask():
        came = time.monotonic()
        exposition, age = one.get(TEXT)
        got.append((exposition.begun >= came, age, exposition.body))

    first = threading.Thread(target=ask)
    first.start()
    assert begun.wait(30)
    others = [threading.Thread(target=ask) for _ in range(99)]
    for thread in others:
        thread.start()
    wait_for(lambda: len(looks) == 1 + 1 + 100, what="a hundred who ask")
    release.set()
    for thread in (first, *others):
        thread.join(30)

    assert 2 == writer.calls
    assert ([True] * 100, [0.0] * 100) == ([fresh for fresh, *_ in got], [age for _, age, _ in got])
    assert (2, 98) == (counted(one)["fresh"], counted(one)["shared"])


def test_both_formats_are_kept_apart():
    one = shared(Writer())

    assert one.get(TEXT)[0].body.startswith(b"text/plain")
    assert one.get(OPENMETRICS)[0].body.startswith(b"application/openmetrics-text")


def scrapes(clock, cost, every, allowed, times):
    """Scrape at a fixed pace; return the CPU that it took a second, and the ages of what was got."""
    cpu = Clock()

    def work():
        cpu.now += cost

    one = SharedExposition(Writer(work), allowed=lambda: allowed, clock=clock, cpu=cpu)
    ages, half = [], None
    for number in range(times):
        if number == times // 2:
            half = cpu.now
        clock.now += every
        ages.append(one.get(TEXT)[1])
    return (cpu.now - half) / (every * (times - times // 2)), ages


@pytest.mark.parametrize(("cost", "every"), [(0.2, 15.0), (0.05, 1.0), (0.005, 0.01)])
def test_scrapes_that_cost_more_than_they_may_get_older_ones_until_there_is_room(clock, cost, every):
    used, ages = scrapes(clock, cost, every, 0.005, 4000)

    assert 0.004 < used < 0.0055
    assert 0.0 == ages[0]
    assert 0 < max(ages) <= cost / 0.005 + 2 * every


def test_scrapes_within_the_budget_are_all_new(clock):
    used, ages = scrapes(clock, 0.01, 15.0, 0.005, 200)

    assert {0.0} == set(ages)
    assert used == pytest.approx(0.01 / 15)


def test_a_few_in_a_row_are_new_though_they_are_dear(clock):
    _, ages = scrapes(clock, 0.02, 0.1, 0.005, 50)

    assert {0.0} == set(ages)


def test_none_is_older_than_a_minute_whatever_a_new_one_costs(clock):
    used, ages = scrapes(clock, 10.0, 1.0, 0.005, 400)

    assert 0.9 * LONGEST_SECONDS < max(ages) < LONGEST_SECONDS
    assert used == pytest.approx(10.0 / LONGEST_SECONDS, rel=0.15)


def test_who_waits_too_long_gets_the_last_one_and_none_if_that_is_old_or_there_is_none(clock):
    one = SharedExposition(Writer(), patience=0.01, clock=clock)
    one._lock.acquire()
    without = one.get(TEXT)
    one._lock.release()
    written, _ = one.get(TEXT)
    one._lock.acquire()
    clock.now += 5
    kept = one.get(TEXT)
    clock.now += LONGEST_SECONDS
    old = one.get(TEXT)

    assert ((None, 0.0), (written, 5.0), (None, 0.0)) == (without, kept, old)
    assert {"fresh": 1, "shared": 0, "kept": 1, "refused": 2} == counted(one)


def test_a_failure_leaves_the_others_their_turn():
    def fail():
        raise RuntimeError("no")

    writer = Writer(fail)
    one = SharedExposition(writer)
    with pytest.raises(RuntimeError, match="no"):
        one.get(TEXT)
    writer.act = lambda: None

    assert one.get(TEXT)[0].body.endswith(b"2\n")


def test_the_child_of_a_fork_does_not_wait_for_a_lock_of_its_parent():
    one = SharedExposition(Writer(), patience=30.0)
    one.get(TEXT)
    one._lock.acquire()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, one.get(TEXT)[0].body)
        os._exit(0)
    os.waitpid(child, 0)
    body = os.read(reading, 1000)
    os.close(reading)
    os.close(writing)

    assert body.endswith(b"2\n")


def ask(app, accept="", encoding="", query=""):
    said = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/metrics",
        "HTTP_ACCEPT": accept,
        "HTTP_ACCEPT_ENCODING": encoding,
        "QUERY_STRING": query,
    }
    body = b"".join(app(environ, lambda status, headers: said.append((status, dict(headers)))))
    return *said[0], body


def test_it_is_compressed_once_for_all():
    one = SharedExposition(lambda form, names=None: b"x" * 100_000)
    exposition, _ = one.get(TEXT)
    packed = one.zipped(exposition)

    assert packed is one.zipped(exposition)
    assert exposition.body == gzip.decompress(packed)


def test_the_page_says_how_old_its_numbers_are_and_that_there_are_none(clock):
    one = SharedExposition(Writer(), patience=0.01, clock=clock)
    app = application_of([Route("/metrics", make_metrics_page(one))])
    one._lock.acquire()
    refused, _, why = ask(app)
    one._lock.release()
    _, fresh, _ = ask(app)
    one._lock.acquire()
    clock.now += 7
    status, kept, body = ask(app)

    assert ("503 Service Unavailable", b"503 Service Unavailable: the metrics are being written") == (refused, why[:54])
    assert (None, "200 OK", "7") == (fresh.get("Age"), status, kept["Age"])
    assert body.endswith(b"None 1\n")


def test_who_asks_for_names_gets_them_beside_all_that():
    app = application_of([Route("/metrics", make_metrics_page(Writer()))])
    _, _, body = ask(app, query="name[]=one&name[]=two")

    assert b"['one', 'two'] 1" in body
