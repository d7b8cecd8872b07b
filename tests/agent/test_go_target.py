"""A Go service window by window: what is subtracted, left alone, remembered and told. The service is a stub over real HTTP."""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from runtime_exporter.agent.config import GO_KINDS, Target, load
from runtime_exporter.agent.go import GoTarget
from runtime_exporter.agent.go.growth import Growth, signature
from runtime_exporter.agent.watched import watch
from runtime_exporter.credentials import Credentials
from runtime_exporter.errors import BusyError, ConfigError, ProfileError
from runtime_exporter.profiling.advice import Evidence, advise, weigh
from runtime_exporter.profiling.leaks import GOROUTINES, MEMORY
from runtime_exporter.profiling.pprof import encode
from runtime_exporter.profiling.profile import Frame, ValueType, build
from runtime_exporter.settings import Settings
from stub_service import says, serving
from tools import free_port, wait_for

INDEX = "<html><table>{}</table></html>"
ROW = "<tr><td>{}</td><td><a href='{}?debug=1'>{}</a></td></tr>\n"


def stack(*names):
    return tuple(Frame(name, f"/src/{name}.go", 1) for name in names)


def profile(kind, values, *, time_nanos=1):
    """A profile of stacks, leaf first, as texts with spaces between the functions, and their values."""
    sample_types = [ValueType("goroutineleak", "count")] if kind == "goroutineleak" else kind
    return build(
        sample_types, [(stack(*names.split()), value, ()) for names, value in values.items()], time_nanos=time_nanos
    )


class Stub:
    """The pages of a service; the test changes them between windows."""

    def __init__(self):
        self.pages = {
            "profile": profile("cpu", {"main.work main.main": (10, 10**8)}),
            "heap": profile("heap", {"main.keep": (100, 1000, 1, 10)}),
            "mutex": profile("mutex", {"main.lock": (5, 5000)}),
            "block": profile("block", {"main.wait": (7, 7000)}),
            "goroutine": profile("goroutine", {"runtime.gopark main.serve": (3,)}),
            "goroutineleak": profile("goroutineleak", {}),
        }
        self.rows = {name: 1 for name in self.pages if name != "profile"} | {"goroutine": 3}
        self.status = {}
        self.asked = Counter()
        self.index = True
        self.started = None

    def answer(self, handler):
        parts = urlsplit(handler.path)
        name = parts.path.removeprefix("/debug/pprof/")
        self.asked[name + ("?debug" if "debug" in parts.query else "")] += 1
        if name in self.status:
            says(*self.status[name])(handler)
        elif parts.path == "/debug/pprof/" and self.index:
            says(INDEX.format("".join(ROW.format(count, row, row) for row, count in self.rows.items())).encode())(
                handler
            )
        elif parts.path == "/metrics" and self.started is not None:
            says(f"process_start_time_seconds {self.started}\ngo_memstats_next_gc_bytes 4e6\n".encode())(handler)
        elif name in self.pages and "debug" not in parts.query:
            says(encode(self.pages[name]))(handler)
        else:
            says(b"404 page not found", 404)(handler)


@contextmanager
def watched(stub=None, *, kinds=GO_KINDS, seconds=1.0, metrics_path="", credentials=None, **options):
    stub = stub or Stub()
    with serving(stub.answer) as (where, headers):
        target = Target(
            name="shop",
            url=str(where),
            kinds=kinds,
            seconds=seconds,
            metrics_path=metrics_path,
            credentials=credentials,
        )
        source = GoTarget(target, patience=5, **options)
        source.headers = headers
        try:
            yield stub, source
        finally:
            source.close()


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        self.now += 0.5
        return self.now


def total(window, kind):
    found = window.profiles[kind]
    return found.total(found.index())


def test_what_counts_since_the_start_is_told_as_what_came_to_be_meanwhile():
    with watched() as (stub, source):
        first = source.take()
        stub.pages["mutex"] = profile("mutex", {"main.lock": (6, 5400), "main.other": (1, 30)})
        stub.pages["heap"] = profile("heap", {"main.keep": (150, 1500, 2, 20)})
        second = source.take()
        third = source.take()

    # Between the two looks of the first window nothing came to be.
    assert {"cpu", "heap", "goroutine"} == first.profiles.keys()
    assert 430 == total(second, "mutex")
    assert 500 == total(second, "allocs")
    assert 20 == total(second, "heap")
    assert "block" not in second.profiles
    assert {"cpu", "heap", "goroutine"} == third.profiles.keys()
    assert (first.end, second.end) == (second.begin, third.begin)
    assert (10, "go", True) == (second.samples, second.backend, second.unbiased)


def test_windows_are_dated_by_the_clock_of_who_takes_them():
    with watched(clock=Clock()) as (_, source):
        window = source.take()

    for kind in ("heap", "goroutine"):
        found = window.profiles[kind]
        assert (window.begin, window.end) == (found.time_nanos / 1e9, (found.time_nanos + found.duration_nanos) / 1e9)
    assert window.begin <= window.profiles["cpu"].time_nanos / 1e9 <= window.end


def test_after_a_restart_all_counts_are_of_the_new_process():
    with watched() as (stub, source):
        source.take()
        stub.pages["mutex"] = profile("mutex", {"main.lock": (1, 40)})
        stub.pages["block"] = profile("block", {"main.wait": (8, 8000)})  # has already overtaken the old process
        window = source.take()

    assert (40, 8000) == (total(window, "mutex"), total(window, "block"))


def test_a_restart_that_no_count_shows_is_seen_by_the_time_of_the_start():
    stub = Stub()
    stub.started = 100.0
    with watched(stub, metrics_path="/metrics") as (stub, source):
        source.take()
        stub.started = 200.0
        stub.pages["mutex"] = profile("mutex", {"main.lock": (6, 6000)})
        window = source.take()

    assert 6000 == total(window, "mutex")


def test_profiles_of_another_form_after_an_upgrade_count_anew():
    with watched() as (stub, source):
        source.take()
        stub.pages["mutex"] = replace(stub.pages["mutex"], period_type=ValueType("contentions", "nanoseconds"))
        window = source.take()

    assert 5000 == total(window, "mutex")


def test_the_heap_is_fetched_once_and_serves_what_was_allocated():
    with watched() as (stub, source):
        source.take()
        stub.pages["heap"] = profile("heap", {"main.keep": (150, 1500, 2, 20)})
        window = source.take()

    assert (3, 0) == (stub.asked["heap"], stub.asked["allocs"])
    assert {"heap": "inuse_space", "allocs": "alloc_space"} == {
        kind: window.profiles[kind].default_sample_type for kind in ("heap", "allocs")
    }


def test_only_what_is_wanted_is_asked_for():
    stub = Stub()
    stub.pages["allocs"] = stub.pages["heap"]
    with watched(stub, kinds=("cpu", "allocs")) as (stub, source):
        window = source.take()

    assert {"cpu"} == window.profiles.keys()
    assert {"", "profile", "allocs", "/debug/vars", "heap?debug"} == stub.asked.keys()


def test_who_takes_a_cpu_profile_is_not_told_as_blocked():
    stub = Stub()
    stub.pages["block"] = profile("block", {})
    with watched(stub) as (stub, source):
        source.take()
        stub.pages["block"] = profile(
            "block",
            {"runtime.selectgo net/http/pprof.sleep net/http/pprof.Profile": (1, 10**9), "main.wait": (1, 500)},
        )
        window = source.take()

    assert 500 == total(window, "block")


def test_many_goroutines_are_left_alone_and_it_is_told_why():
    stub = Stub()
    stub.rows["goroutine"] = 20_001
    with watched(stub) as (stub, source):
        window = source.take()

    assert "goroutine" not in window.profiles
    assert 0 == stub.asked["goroutine"]
    assert "20001 goroutines" in source.problems["goroutine"]
    assert 20_001 == source.facts().go.goroutines


def test_leaked_goroutines_are_searched_for_rarely_and_what_was_proven_stays():
    clock, stub = Clock(), Stub()
    stub.pages["goroutineleak"] = profile("goroutineleak", {"runtime.gopark main.leak": (4,)})
    with watched(stub, clock=clock) as (stub, source):
        windows = [source.take(), source.take()]
        seldom = stub.asked["goroutineleak"]
        clock.now += 600
        stub.pages["goroutineleak"] = profile("goroutineleak", {"runtime.gopark main.leak": (9,)})
        windows.append(source.take())
        clock.now += 600
        stub.status["goroutineleak"] = (b"not now", 500)
        windows.append(source.take())

    assert (1, 3) == (seldom, stub.asked["goroutineleak"])
    assert [4, 4, 9, 9] == [total(window, "goroutineleak") for window in windows]


def test_a_runtime_that_cannot_find_leaked_goroutines_is_not_asked_to():
    stub = Stub()
    del stub.rows["goroutineleak"]
    with watched(stub) as (stub, source):
        source.take()

    assert 0 == stub.asked["goroutineleak"]
    assert {} == source.problems


def test_a_page_that_is_not_there_is_asked_for_again_after_an_hour():
    clock, stub = Clock(), Stub()
    stub.status["block"] = (b"Unknown profile\n", 404)
    with watched(stub, clock=clock) as (stub, source):
        window = source.take()
        problem = source.problems["block"]
        source.take()
        seldom = stub.asked["block"], source.problems
        clock.now += 3600
        source.take()

    assert "cpu" in window.profiles
    assert problem.endswith("/debug/pprof/block says 404 Unknown profile")
    assert (1, {}) == seldom
    assert 2 == stub.asked["block"]


def test_a_service_without_an_index_is_profiled_as_well():
    stub = Stub()
    stub.index = False
    with watched(stub) as (stub, source):
        window = source.take()

    assert {"cpu", "heap", "goroutine"} == window.profiles.keys()
    assert 3 == source.facts().go.goroutines


def test_what_fails_alone_costs_only_itself_and_is_logged_when_it_changes(caplog):
    stub = Stub()
    stub.status["mutex"] = (b"out of order\n", 500)
    stub.status["heap"] = (b"no profile", 200)
    with watched(stub) as (stub, source), caplog.at_level(logging.INFO, logger="runtime_exporter"):
        window = source.take()
        source.take()
        lines = len(caplog.records)
        stub.status.clear()
        source.take()

    assert {"cpu", "goroutine"} == window.profiles.keys()
    assert 2 == lines
    assert {"heap", "mutex"} == {
        word for record in caplog.records[:2] for word in ("heap", "mutex") if f"pprof/{word}" in record.message
    }
    assert 2 == sum("is there again" in record.message for record in caplog.records[2:])


def test_a_profile_of_something_else_is_refused():
    stub = Stub()
    stub.pages["heap"] = stub.pages["profile"]
    with watched(stub) as (stub, source):
        window = source.take()

    assert {"cpu", "goroutine"} == window.profiles.keys()
    assert "pprof/heap: the profile has no sample type 'inuse_space' but samples, cpu" in source.problems["heap"]


def test_a_cpu_profile_that_somebody_else_takes_costs_this_window_its_cpu_profile_only():
    stub = Stub()
    stub.status["profile"] = (b"Could not enable CPU profiling: cpu profiling already in use\n", 500)
    with watched(stub) as (stub, source):
        window = source.take()
        with pytest.raises(BusyError, match="500 Could not enable CPU profiling: cpu profiling already in use"):
            source.capture("cpu", 1)

    assert "cpu" not in window.profiles
    assert 0 == window.samples
    assert source.problems.keys() == {"cpu"}


def test_two_cpu_profiles_are_not_taken_at_once():
    stub, goes = Stub(), threading.Event()
    answer = stub.answer

    def slowly(handler):
        if "/profile" in handler.path:
            goes.wait(30)
        answer(handler)

    stub.answer = slowly
    with watched(stub) as (stub, source):
        first = []
        thread = threading.Thread(target=lambda: first.append(source.capture("cpu", 1)))
        thread.start()
        wait_for(source._cpu.locked)
        with pytest.raises(BusyError, match="Go takes one at a time"):
            source.capture("cpu", 1)
        assert source.capture("heap", 0).samples  # anything else may be asked for meanwhile
        goes.set()
        thread.join()
    assert 1 == len(first)


def test_a_kind_that_go_does_not_have_is_refused():
    with watched() as (_, source), pytest.raises(ProfileError, match="no profile 'wall': a Go service has cpu, heap"):
        source.capture("wall", 1)


def test_nobody_there_is_said_once_and_soon():
    port = free_port()
    source = GoTarget(Target(name="gone", url=f"http://127.0.0.1:{port}", kinds=GO_KINDS))
    with pytest.raises(ProfileError, match=f"^http://127.0.0.1:{port}/debug/pprof/: Connection refused$"):
        source.take()
    source.close()


def test_a_service_that_goes_away_in_the_middle_is_given_up_at_the_second_silence():
    stub = Stub()
    answer = stub.answer

    def silent(handler):
        if handler.path.endswith("/debug/pprof/"):
            answer(handler)
        else:
            stub.asked["silence"] += 1
            handler.close_connection = True

    stub.answer = silent
    with watched(stub) as (stub, source), pytest.raises(ProfileError, match="closed connection without response"):
        source.take()
    assert 2 == stub.asked["silence"]


def test_a_service_that_has_nothing_of_what_is_wanted_says_why():
    stub = Stub()
    stub.status = dict.fromkeys(stub.pages, (b"Unknown profile", 404))
    with watched(stub) as (stub, source):
        with pytest.raises(ProfileError, match="says 404 Unknown profile"):
            source.take()
        with pytest.raises(ProfileError, match="serves no profile that is wanted"):
            source.take()


def test_a_password_is_read_from_its_file_and_a_wrong_one_is_said_once(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    stub = Stub()
    with watched(stub, credentials=Credentials("Bearer", secret)) as (stub, source):
        source.take()
        assert {"Bearer s3cret"} == {headers["Authorization"] for _, headers in source.headers}
        stub.status[""] = (b"Unauthorized\n", 401)
        with pytest.raises(ProfileError, match="/debug/pprof/ says 401 Unauthorized"):
            source.take()
        secret.unlink()
        with pytest.raises(ProfileError, match="password: the file cannot be read: No such file or directory"):
            source.take()


def test_a_file_that_has_no_certificates_is_named(tmp_path):
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate")
    source = GoTarget(Target(name="shop", url="https://127.0.0.1:1", kinds=GO_KINDS, ca_file=str(wrong)))
    with pytest.raises(ProfileError, match=r"ca\.pem: no certificates that could be read"):
        source.take()


def test_closing_ends_a_window_that_is_being_taken():
    stub = Stub()
    answer, asked, ended = stub.answer, threading.Event(), threading.Event()

    def slowly(handler):
        if "/profile" in handler.path:
            asked.set()
            ended.wait(30)
        answer(handler)

    stub.answer = slowly
    failed = []
    with watched(stub) as (stub, source):

        def take():
            try:
                source.take()
            except ProfileError as error:
                failed.append(error)

        thread = threading.Thread(target=take)
        thread.start()
        assert asked.wait(10)
        source.close()
        thread.join(10)
        assert not thread.is_alive()
        ended.set()
    assert "closed" in str(failed[0])


@pytest.mark.parametrize(
    ("written", "expected"), [("512MiB", 512 * 2**20), ("1000", 1000), ("2GiB", 2**31), ("1000B", 1000)]
)
def test_a_container_limit_is_written_as_gomemlimit_is_and_is_a_fact_for_advice(tmp_path, written, expected):
    stub, file = Stub(), tmp_path / "targets.yaml"
    with serving(stub.answer) as (where, _):
        file.write_text(f"targets: [{{name: shop, url: '{where}', memory_limit: {written}, seconds: 1s}}]")
        source = GoTarget(load(file)[0])
        source.take()
        source.close()

    assert expected == source.facts().go.container_limit


@pytest.mark.parametrize("written", ["512MB", "0", "-1", "true", "much", "1.5GiB", "[]"])
def test_what_is_no_container_limit_is_refused_with_its_line(tmp_path, written):
    file = tmp_path / "targets.yaml"
    file.write_text(f"targets:\n  - name: shop\n    url: http://127.0.0.1:1\n    memory_limit: {written}\n")
    with pytest.raises(ConfigError, match=r"targets\.yaml:4: memory_limit = .*: bytes are needed, such as 512MiB"):
        load(file)


def test_with_a_container_limit_the_advice_on_the_collector_has_numbers():
    stub = Stub()
    stub.started = 100.0
    stub.pages["profile"] = profile(
        "cpu", {"runtime.gcDrain runtime.gcBgMarkWorker": (400, 4 * 10**9), "main.work": (600, 6 * 10**9)}
    )
    stub.pages["heap"] = profile("heap", {"main.keep": (1, 1, 1, 50 * 2**20)})
    with serving(stub.answer) as (where, _):
        target = Target(
            name="shop", url=str(where), kinds=GO_KINDS, seconds=1.0, memory_limit=2**29, metrics_path="/metrics"
        )
        source = GoTarget(target)
        window = source.take()
        source.close()
    cpu = {"cpu": weigh(window.profiles["cpu"], "cpu")}
    (found,) = advise(Evidence(language="go", window=10.0, profiles=cpu, facts=source.facts()))

    assert "go-gc-cost" == found.rule
    assert "Set GOGC=610 (now 100) with GOMEMLIMIT=460MiB" in found.what_to_do


GOROUTINE = replace(GOROUTINES, warm_up=0.0, span=8.0, floor=50.0)


def test_goroutines_of_one_signature_that_only_grow_are_suspected():
    growth = Growth(goroutines=GOROUTINE)
    for look in range(12):
        standing = {
            "runtime.gopark runtime.chansend main.notify main.order": (10 + 20 * look,),
            "runtime.gopark net/http.(*conn).serve": (100 + look % 3,),
        }
        growth.look({"goroutine": profile("goroutine", standing)}, 1000.0 + look)
    (suspect,) = growth.suspects()

    assert ("goroutines", "main.order > main.notify", "goroutines", 12) == (
        suspect.kind,
        suspect.site,
        suspect.unit,
        suspect.windows,
    )
    assert 20 == pytest.approx(suspect.slope)


def test_memory_of_one_site_that_only_grows_is_suspected_and_needs_no_settling():
    growth = Growth(heap=replace(MEMORY, warm_up=0.0, span=8.0))
    for look in range(14):
        live = {"runtime.mallocgc main.cache": (1, 1, 1, 10**7 * look), "main.steady": (1, 1, 1, 10**8)}
        growth.look({"heap": profile("heap", live)}, 1000.0 + look)
    (suspect,) = growth.suspects()

    assert ("heap", "main.cache", "bytes", True) == (suspect.kind, suspect.site, suspect.unit, suspect.settled)


def test_another_process_is_not_suspected_of_what_the_last_one_did():
    growth = Growth(goroutines=GOROUTINE)
    for look in range(12):
        growth.look({"goroutine": profile("goroutine", {"main.leak": (10 + 20 * look,)})}, 1000.0 + look)
    growth.forget(1012.0)

    assert () == growth.suspects()


def test_growth_is_told_with_the_other_facts():
    clock, stub = Clock(), Stub()
    with watched(stub, clock=clock, growth=Growth(goroutines=GOROUTINE)) as (stub, source):
        for look in range(12):
            stub.pages["goroutine"] = profile("goroutine", {"runtime.gopark main.leak": (10 + 20 * look,)})
            source.take()

    assert ["main.leak"] == [suspect.site for suspect in source.facts().suspects]


def test_what_grows_in_a_go_service_is_in_its_report_by_kind():
    stub = Stub()
    with serving(stub.answer) as (where, _):
        target = Target(name="shop", url=str(where), kinds=GO_KINDS, seconds=1.0)
        watched = watch(target, Settings(), among=1, turn=threading.Lock())
        watched.watcher.turn()
        healthy = watched.watcher.report
        watched.watcher.source._growth = Growth(goroutines=replace(GOROUTINE, span=0.0))
        for look in range(12):
            stub.pages["goroutine"] = profile("goroutine", {"runtime.gopark main.leak": (10 + 20 * look,)})
            watched.watcher.turn()
        report = watched.watcher.report
        watched.close()

    assert {"goroutines": [], "heap": []} == healthy.suspects
    assert ["main.leak"] == [suspect.site for suspect in report.suspects["goroutines"]]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("runtime.gopark", "main.a", "net/http.serve", "main.b"), "main.b > main.a"),
        (("runtime.gopark", "net/http.(*conn).serve"), "net/http.(*conn).serve"),
        (tuple(f"main.f{number}" for number in range(9)), "main.f4 > main.f3 > main.f2 > main.f1 > main.f0"),
        ((), ""),
    ],
)
def test_a_signature_has_the_functions_of_the_application(names, expected):
    assert expected == signature(stack(*names))


def test_growth_begins_long_ago_where_nothing_says_when():
    assert -math.inf == Growth()._began


def test_a_profile_that_nobody_wants_any_more_is_not_waited_for():
    stub, asked, given_up = Stub(), threading.Event(), threading.Event()
    answer = stub.answer

    def slowly(handler):
        if "seconds=60" not in handler.path:
            return answer(handler)
        asked.set()
        return given_up.set() if handler.rfile.read(1) == b"" else None  # waits for the end of the connection

    stub.answer = slowly
    with watched(stub) as (stub, source):
        with pytest.raises(ProfileError, match="nobody waits for the answer any more"):
            source.capture("cpu", 60, asked.is_set)
        assert given_up.wait(10)  # Go ends its profile then
        assert source.capture("cpu", 1).samples  # and the next may be taken
        assert source.take().profiles
