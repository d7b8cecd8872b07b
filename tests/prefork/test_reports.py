"""What the profiles of all workers came to: read from what they left, and asked of those who live."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from runtime_exporter.prefork.advised import recommended, suspected
from runtime_exporter.prefork.peers import Peers
from runtime_exporter.prefork.reports import reports_of
from runtime_exporter.profiling.kept import Kept
from runtime_exporter.profiling.pastfiles import PastFiles
from runtime_exporter.profiling.pipeline import Interval, Report, Taken
from runtime_exporter.profiling.process import shared_store
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.tally import Window, tally
from runtime_exporter.profiling.verdict import Verdict, Verdicts
from runtime_exporter.web.page import Ask
from runtime_exporter.web.summary_pages import ReportPage, summary

SECOND = 10**9
HOUR = 1_795_312_800  # 2026-11-22T02:00:00Z
MAIN, BUSY, SLOW = Frame("shop:main", "/m.py", 1), Frame("shop:busy", "/shop.py", 7), Frame("shop:slow", "/shop.py", 17)


def row(rule, severity="info", gain=0.1, target="process", **more):
    return {"rule": rule, "severity": severity, "gain_upper_bound": gain, "target": target, "claim": f"{gain}", **more}


def page(*rows, suspects=(), looked=("rss",)):
    return {"recommendations": [*rows], "leak_suspects": [*suspects], "looked_for_leaks_of": [*looked]}


def told(rows):
    return [(one["rule"], one["severity"], one["claim"], one["workers"]) for one in rows]


def test_what_several_workers_say_of_themselves_is_said_once_by_the_one_that_is_worst_off():
    pages = {
        0: page(row("gc-cost", "warning", 0.06)),
        1: page(row("gc-cost", "critical", 0.3), row("memory-unused", "info", None)),
        2: page(row("gc-cost", "warning", 0.2)),
    }
    expected = [("gc-cost", "critical", "0.3", [0, 1, 2]), ("memory-unused", "info", "None", [1])]
    assert expected == told(recommended(None, pages))


def test_advice_on_profiles_is_that_on_all_workers_together_as_soon_as_there_is_some():
    pages = {0: page(row("json-stdlib", gain=0.5, target="shop:busy"), row("gc-cost", "warning"))}
    assert ["gc-cost", "json-stdlib"] == [one["rule"] for one in recommended(None, pages)]
    together = row("json-stdlib", gain=0.25, target="shop:busy", workers=[0, 3])
    verdict = Verdict(0, HOUR, HOUR + 60, {}, (together,))
    expected = [("gc-cost", "warning", "0.1", [0]), ("json-stdlib", "info", "0.25", [0, 3])]
    assert expected == told(recommended(verdict, pages))


def test_leak_suspects_are_those_of_all_and_name_their_worker_the_steepest_of_each_kind():
    rising = [{"kind": "threads", "slope": slope} for slope in range(8)]
    found = suspected({0: page(suspects=rising), 1: page(suspects=rising, looked=("rss", "threads"))})
    assert [(7, [0]), (7, [1]), (6, [0])] == [(one["slope"], one["workers"]) for one in found["leak_suspects"]][:3]
    assert (10, ["rss", "threads"]) == (len(found["leak_suspects"]), found["looked_for_leaks_of"])


class Service:
    """A run directory in which workers have left profiles and live no more, or never did."""

    def __init__(self, directory):
        self.directory = directory
        self.kept = Kept(self._store(0))
        self.reports = reports_of(directory, self.kept)

    def _store(self, number):
        store = shared_store(self.directory, 60.0, lambda: number)
        store._clock = lambda: HOUR + 600
        return store

    def left(self, number, minute, seconds=10, *, kind="cpu", frame=BUSY):
        values = (1, 1000 * seconds) if kind == "heap" else (20 * seconds, seconds * SECOND)
        values = (*values, *values) if kind == "heap" else values
        begin, lasted = (HOUR + 60 * minute, 60) if kind != "heap" else (HOUR + 60 * (minute + 1), 0)
        comments = ("backend thread, unbiased", "looks 1200, truncated 0, dropped 0")
        rows = [((frame, MAIN), values, ())]
        profile = build(kind, rows, time_nanos=begin * SECOND, duration_nanos=lasted * SECOND, comments=comments)
        return self._store(number).put(profile, kind)

    def summary(self, **query):
        reply = ReportPage(self.reports.summary, summary)(
            Ask("GET", query={name: [value] for name, value in query.items()})
        )
        return reply.status, json.loads(reply.body)

    def advice(self, **query):
        reply = self.reports.advice(Ask("GET", query={name: [value] for name, value in query.items()}))
        return reply.status, json.loads(reply.body)


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path)


def test_a_summary_is_of_all_who_left_something_within_the_time_that_is_asked_for(service):
    for minute in range(4):
        service.left(0, minute)
        service.left(1, minute, seconds=5, frame=SLOW)
    service.left(2, 0, seconds=40)
    status, said = service.summary(seconds="120")
    (cpu,) = said["profiles"]
    assert (200, [0, 1], 2, 30.0) == (status, said["workers"], cpu["intervals"], cpu["total"])
    assert [("shop:busy", 20.0), ("shop:slow", 10.0)] == [(one["function"], one["value"]) for one in cpu["self"]]
    _, said = service.summary(seconds="600")
    assert ([0, 1, 2], 100.0) == (said["workers"], said["profiles"][0]["total"])


def test_memory_is_that_of_each_workers_newest_profile_since_not_all_take_one_in_each_interval(service):
    for minute in range(3):
        service.left(0, minute)
        service.left(1, minute)
    service.left(0, 0, seconds=7, kind="heap")
    service.left(0, 1, seconds=3, kind="heap")
    service.left(1, 0, seconds=2, kind="heap")
    _, said = service.summary(kind="heap", seconds="60")
    (heap,) = said["profiles"]
    assert ("heap", 5000, 1) == (heap["kind"], heap["total"], heap["intervals"])


def test_a_file_that_is_damaged_or_gone_is_left_out(service):
    service.left(0, 0)
    broken, gone = service.left(1, 0), service.left(2, 0)
    (service.directory / "profiles" / broken.name).write_bytes(b"\x1f\x8b no")
    service.kept.slots()
    (service.directory / "profiles" / gone.name).unlink()
    assert 10.0 == service.summary()[1]["profiles"][0]["total"]


def test_reading_ends_after_a_while_and_the_newest_is_read_first(service, monkeypatch):
    for minute in range(3):
        service.left(0, minute)
    monkeypatch.setattr("runtime_exporter.prefork.reports.READ_SECONDS", -1.0)
    (cpu,) = service.summary(seconds="600")[1]["profiles"]
    assert (1, "2026-11-22T02:03:00.000Z") == (cpu["intervals"], cpu["end"])


@pytest.mark.parametrize("wrong", [{"seconds": "x"}, {"seconds": "inf"}, {"kind": "gpu"}, {"limit": "0"}])
def test_a_wrong_question_is_answered_with_what_would_be_right(service, wrong):
    service.left(0, 0)
    status, said = service.summary(**wrong)
    assert (400, True) == (status, next(iter(wrong)) in said["error"])
    assert 400 == service.advice(severity="dire")[0]


def test_before_anybody_has_left_anything_there_is_none_yet(service):
    assert 503 == service.summary()[0]
    assert (503, {"error": "no worker has finished an interval of profiling"}) == service.advice()


def test_who_is_alone_tells_what_it_knows_itself(service):
    service.left(0, 0)
    own = Report(Interval(Taken({}, HOUR, HOUR + 60.0, backend="own"), {}, {}), comparisons={"cpu": "own"})
    reports = reports_of(service.directory, service.kept, own=lambda: own, number=lambda: None)
    assert own is reports.summary(Ask("GET"))
    assert "own" == json.loads(reports.advice(Ask("GET")).body)["backend"]
    assert {"cpu": "own"} == reports.comparisons()


def test_workers_that_do_not_answer_or_take_no_profiles_are_named(fleet, monkeypatch):
    fleet.worker()
    fleet.worker(start=False).do("import runtime_exporter.metrics")
    stopped = fleet.worker()
    fleet.wait_for('runtime_exporter_workers{state="live"}', 3)
    service = Service(fleet.directory)
    service.left(0, 0)
    stopped.process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr("runtime_exporter.prefork.everyone.PATIENCE", 1.0)
    status, said = service.advice()
    assert (200, []) == (status, said["workers"])
    why = {one["worker"]: one["why"] for one in said["missing"]}  # the first one may be late, too, on a busy machine
    assert "no exporter that takes profiles runs in it" == why[1]
    assert "it did not answer within 1 s" == why[2]
    unseen = [{"worker": number, "why": "it left no profile of this time"} for number in (1, 2)]
    assert unseen == service.summary()[1]["missing"]


NOBODY = 65534


def as_somebody(user, work):
    """Have a process of another user do something; return whether that went well."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(user)
            os.setuid(user)
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # 3.12 on, where the runner has threads
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_what_root_makes_before_its_workers_become_another_user_is_theirs():
    directory = Path(tempfile.mkdtemp(dir="/tmp"))  # nobody may enter that of pytest
    os.chown(directory, NOBODY, NOBODY)
    try:
        service, peers = Service(directory), Peers(directory)
        service.left(0, 0)
        verdicts, past = Verdicts(directory / "profiles"), PastFiles(directory / "profiles" / "past")
        verdict = Verdict(0, HOUR, HOUR + 60)
        hour = tally([Window("cpu", HOUR, HOUR + 60, 1200.0, {}, {}, 60.0)])
        verdicts.write(verdict)
        past.write(hour)
        with peers.listen(0):

            def work():
                peers.connected(0, 5).close()
                service.left(1, 0)
                assert [(0, 1)] == [one.workers for one in service.kept.slots()]
                assert verdict == verdicts.read()
                verdicts.write(verdict)
                past.write(hour)

            assert as_somebody(NOBODY, work)
        owners = {(path.stat().st_uid, path.stat().st_mode & 0o77) for path in directory.rglob("*")}
        assert {(NOBODY, 0)} == owners
    finally:
        shutil.rmtree(directory)
