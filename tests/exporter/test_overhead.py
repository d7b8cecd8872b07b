"""What each part of a running exporter uses is that part's in the account, as the clocks of the threads that did it have it."""

import threading
import time
import urllib.request

import pytest

from collectors.doubles import Scripted
from runtime_exporter.collectors.supervisor import Supervisor
from runtime_exporter.costs import COSTS
from runtime_exporter.errors import ProfileError
from runtime_exporter.metrics.exposition import TEXT
from runtime_exporter.profiling.continuous import Continuous
from runtime_exporter.profiling.pipeline import Pipeline
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.samplers.thread import ThreadSampler
from runtime_exporter.push import Push
from runtime_exporter.web.app import application_of
from runtime_exporter.web.metrics_page import make_metrics_page
from runtime_exporter.web.page import Route, text
from runtime_exporter.web.server import Server
from tools import needs_gil, wait_for

BURNT = 0.1
PARTS = ("background", "profiling", "push", "scrape", "web")


class Burner:
    """Uses CPU once, and knows by its thread's clock how much it was."""

    def __init__(self):
        self.used = 0.0

    def __call__(self, *_, **__):
        begin = time.thread_time()
        while self.used == 0.0 and time.thread_time() < begin + BURNT:
            sum(range(1000))
        self.used = self.used or time.thread_time() - begin


@pytest.fixture
def account():
    """The seconds by part that are used from now on."""
    before = COSTS.totals()
    return lambda: {part: COSTS.totals().get(part, 0.0) - before.get(part, 0.0) for part in PARTS}


def only(part, used):
    """What was burnt, in that part; what else it takes to get there is little beside it."""
    return {one: pytest.approx(used, rel=0.2) if one == part else pytest.approx(0.0, abs=0.02) for one in PARTS}


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def test_a_collector_of_the_scrape_is_the_scrapes_on_a_thread_of_the_server(account):
    burner, collector = Burner(), Scripted()
    collector.act = burner
    supervisor = Supervisor([collector])
    page = make_metrics_page(lambda form, names=None: form.render([supervisor], names))
    server = Server(application_of([Route("/metrics", page)]))
    server.start()
    try:
        assert b"scripted_value 1.0" in get(f"{server.url}/metrics")
    finally:
        server.close()

    assert only("scrape", burner.used) == account()


def test_what_an_application_serves_itself_of_ours_is_the_scrapes_too(account):
    burner, collector = Burner(), Scripted()
    collector.act = burner
    TEXT.render([Supervisor([collector])])

    assert only("scrape", burner.used) == account()


def test_a_page_is_the_servers(account):
    burner = Burner()

    def page(_):
        burner()
        return text("done\n")

    server = Server(application_of([Route("/slow", page)]))
    server.start()
    try:
        assert b"done\n" == get(f"{server.url}/slow")
    finally:
        server.close()

    assert only("web", burner.used) == account()


def test_a_collector_in_the_background_is_the_backgrounds(account):
    burner, collector = Burner(), Scripted("slow", 60.0)
    collector.act = burner
    supervisor = Supervisor([collector])
    supervisor.start()
    wait_for(lambda: burner.used)
    supervisor.close()

    assert only("background", burner.used) == account()


@needs_gil
def test_what_is_made_of_profiles_is_profilings(account):
    burner = Burner()
    continuous = Continuous(ThreadSampler, Pipeline(advise=burner), interval=1.05)
    continuous.start()
    wait_for(lambda: burner.used)
    continuous.close()

    assert only("profiling", burner.used) == account()


def test_what_it_takes_to_push_is_pushs(account):
    burner = Burner()
    push = Push(burner)
    push.start()
    push.offer(build("cpu", [((Frame("shop:buy"),), (1, 1), ())], time_nanos=1, duration_nanos=1), "cpu", {})
    wait_for(lambda: burner.used)
    push.close()

    assert only("push", burner.used) == account()


def test_threads_of_the_application_are_in_no_part(account):
    burner = Burner()
    thread = threading.Thread(target=burner)
    thread.start()
    thread.join()

    assert dict.fromkeys(PARTS, pytest.approx(0.0, abs=0.02)) == account()


def test_what_it_takes_to_note_a_wait_for_a_lock_is_profilings(account):
    from runtime_exporter.profiling.locks import LockProfiler

    profiler = LockProfiler((__name__,))
    profiler.install()
    try:
        lock, held, spent = threading.Lock(), threading.Event(), []

        def hold():
            with lock:
                held.set()
                time.sleep(0.002)

        for _ in range(50):
            held.clear()
            holder = threading.Thread(target=hold)
            holder.start()
            held.wait(30)
            begin = time.thread_time()
            lock.acquire()
            lock.release()
            spent.append(time.thread_time() - begin)
            holder.join()
    finally:
        profiler.uninstall()

    # All of it is told and not more than these threads have used.
    assert 0 < account()["profiling"] <= sum(spent) + 0.005


def test_a_handler_of_signals_is_profilings_though_it_runs_on_the_programs_thread(account):
    from runtime_exporter.profiling.samplers.pace import Pace
    from runtime_exporter.profiling.samplers.signal import SignalSampler

    sampler = SignalSampler(pace=Pace(rate=50, highest=50, budget=1.0))
    try:
        sampler.start()
    except ProfileError as error:
        pytest.skip(str(error))
    try:
        end = time.thread_time() + 1.0
        while time.thread_time() < end:
            sum(range(100))
        told = account()["profiling"]
        window = sampler.take()
    finally:
        sampler.close()

    assert window.samples > 5
    assert 0 < told == pytest.approx(window.own_cpu_ns / 1e9, rel=0.2)
