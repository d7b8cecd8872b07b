"""Profiles of a service of several real workers: each of them does something else, and whoever answers shows all of it."""

from __future__ import annotations

import contextlib
import os
import signal
from datetime import datetime
from pathlib import Path

import pytest
import requests

from prefork_service import Service
from runtime_exporter.errors import ProfileError
from runtime_exporter.prefork.everyone import Everyone
from runtime_exporter.prefork.peers import Peers
from runtime_exporter.prefork.service import Service as Served
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import frames
from runtime_exporter.profiling.verdict import Verdicts
from runtime_exporter.settings import Settings
from tools import wait_for
from worker_process import fleet_in

SHOP = """
import os, threading, types
import runtime_exporter

def packing():
    while True:
        sum(range(1000))

def paying():
    while True:
        sum(range(1000))

def work():  # whoever is first packs, the next one pays
    try:
        os.close(os.open("first", os.O_CREAT | os.O_EXCL))
        threading.Thread(target=packing, daemon=True).start()
    except FileExistsError:
        threading.Thread(target=paying, daemon=True).start()

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]

work()
"""
BOTH = {"busy:packing", "busy:paying"}
ENVIRON = {
    "RUNTIME_EXPORTER_PROFILING": "true",
    "RUNTIME_EXPORTER_PROFILE_INTERVAL": "2",
    "RUNTIME_EXPORTER_OVERHEAD_BUDGET": "0.5",
}


def workers_of(profile):
    """Which of the two functions each worker was seen in."""
    seen = {}
    for sample in profile.samples:
        (worker,) = (label.str for label in sample.labels if label.key == "worker")
        seen.setdefault(worker, set()).update({one.name for one in frames(sample)} & BOTH)
    return seen


def taken_now(url):
    """Which workers a profile is of; nothing where the connection went to one that was just killed."""
    with contextlib.suppress(requests.ConnectionError):
        answer = requests.get(f"{url}/debug/pprof/goroutine", timeout=20)
        return pprof.decode(answer.content).comments[0]


def windows(url, **query):
    answer = requests.get(f"{url}/api/v1/profiles", params={"kind": "cpu", **query}, timeout=20)
    return [one for one in answer.json()["profiles"] if not one["on_demand"]]


def of_both(url):
    return [one for one in windows(url) if one["workers"] == [0, 1]]


def seen(url, window):
    """Which of the two functions a window shows, and who answered."""
    answer = requests.get(url + window["url"], timeout=20)
    found = set().union(*workers_of(pprof.decode(answer.content)).values())
    return found, answer.headers["X-Runtime-Exporter-Worker"]


def summary(url, **query):
    """The CPU time of some minutes, of all workers or of one; nothing where the connection went to one that was just killed."""
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{url}/api/v1/summary", params={"kind": "cpu", "seconds": 600, **query}, timeout=20)


def functions(url, **query):
    (profile,) = wait_for(lambda: summary(url, **query), what="a summary").json()["profiles"]
    return {row["function"] for row in profile["cum"]} & BOTH


def summed_up(url):
    answer = summary(url)
    (profile,) = answer.json()["profiles"]
    found = {row["function"] for row in profile["cum"]} & BOTH
    return answer.headers["X-Runtime-Exporter-Worker"], (found, answer.json()["workers"])


def said_of_all(directory):
    return Verdicts(directory / "profiles").read()


def ended(window):
    return datetime.fromisoformat(window["end"].replace("Z", "+00:00")).timestamp()


def test_gunicorns_workers_are_one_profile_whoever_answers_and_also_when_one_is_killed(tmp_path):
    (tmp_path / "busy.py").write_text(SHOP)
    command = ("gunicorn", "-b", "127.0.0.1:{port}", "-w", "2", "busy:app")
    with Service(tmp_path, *command, **ENVIRON) as service:
        url = f"http://127.0.0.1:{service.metrics_port}"
        (directory,) = service.directories()
        # A window of two seconds of a busy machine may have no sample of one of them.
        shown = wait_for(lambda: next((one for one in of_both(url) if seen(url, one)[0] == BOTH), None), what="both")
        answered = {}
        wait_for(lambda: answered.update([seen(url, shown)[::-1]]) or len(answered) == 2, what="an answer of each")
        assert [BOTH, BOTH] == [*answered.values()]
        for number, function in ((0, {*BOTH}), (1, {*BOTH})):
            assert 1 == len(functions(url, worker=number) & function)
        answered = {}
        wait_for(lambda: answered.update([summed_up(url)]) or len(answered) == 2, what="a summary of each")
        assert [(BOTH, [0, 1])] * 2 == [*answered.values()]
        wait_for(lambda: said_of_all(directory), what="a look at all workers' intervals")
        page = requests.get(f"{url}/profiles/{shown['id']}", timeout=20).text
        assert "2 workers: 0, 1" in page
        assert "Worker 1 alone" in page
        os.kill(service.workers()[0], signal.SIGKILL)

        wait_for(lambda: taken_now(url), what="a profile of who lives")
        wait_for(lambda: windows(url)[-1]["end"] > shown["end"], what="a later window")
        assert BOTH == seen(url, shown)[0]  # what the dead one had left
        wait_for(lambda: said_of_all(directory).until > ended(shown) + 2, what="a look at those who live")
        assert BOTH == functions(url)
        assert {"0.socket", "1.socket"} >= {one.name for one in directory.glob("*.socket")}
        assert [] == [one.name for one in (directory / "profiles").glob(".new-*")]
    assert not Path(directory).exists()


@pytest.fixture
def fleet(tmp_path):
    with fleet_in(tmp_path) as fleet:
        yield fleet


def patient(worker):
    """Have a worker wait for the others however busy the machine is."""
    worker.do("import runtime_exporter.prefork.everyone; runtime_exporter.prefork.everyone.PATIENCE = 60")
    return worker


def thread_in(worker, name):
    worker.do(
        f"def {name}(): threading.Event().wait()\n"
        f"names = globals(); threading.Thread(target={name}, daemon=True).start()"
    )


def threads(fleet, path="goroutine?debug=2", **query):
    answer = requests.get(f"{fleet.url}/debug/pprof/{path}", params=query, timeout=30)
    assert answer.ok, answer.text
    return answer.text


def test_a_profile_that_is_asked_for_is_of_all_workers_or_of_the_one_that_is_named(fleet):
    first, second = patient(fleet.worker()), patient(fleet.worker())
    thread_in(first, "packing")
    thread_in(second, "paying")

    both = threads(fleet)
    assert ["__main__:packing()" in both, "__main__:paying()" in both, "# worker 1" in both] == [True] * 3
    assert [False, True] == ["packing" in threads(fleet, worker=number) for number in (1, 0)]
    nobody = requests.get(f"{fleet.url}/debug/pprof/goroutine?worker=7", timeout=20)
    assert (404, "No worker '7' lives: there are 0, 1\n") == (nobody.status_code, nobody.text)
    nobody = requests.get(f"{fleet.url}/api/v1/summary?worker=x", timeout=20)
    assert (404, {"error": "No worker 'x' lives: there are 0, 1"}) == (nobody.status_code, nobody.json())
    taken = pprof.decode(requests.get(f"{fleet.url}/debug/pprof/wall?seconds=0.3", timeout=30).content)
    assert {"0", "1"} == set(workers_of(taken))


def test_a_worker_that_does_not_answer_is_named_and_left_out(fleet):
    fleet.worker()
    silent = fleet.worker(start=False)
    silent.do("import runtime_exporter.metrics")
    fleet.wait_for('runtime_exporter_workers{state="live"}', 2)
    taken = pprof.decode(requests.get(f"{fleet.url}/debug/pprof/goroutine", timeout=30).content)

    said = "worker 1: left out, no exporter that takes profiles runs in it"
    assert ("workers 0", said) == taken.comments[:2]


def test_who_asks_a_worker_that_stands_still_does_not_wait_for_ever(fleet, monkeypatch):
    fleet.worker().process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr("runtime_exporter.prefork.everyone.PATIENCE", 0.2)
    sources = Everyone(Peers(fleet.directory)).sources()

    with pytest.raises(ProfileError, match=r"^worker 0: left out, it did not answer within 0\.2 s$"):
        sources.instants["goroutine"]()
    assert "did not answer" in sources.texts["goroutine"]()


def test_serve_shows_what_workers_keep_and_asks_them_for_what_is_wanted_now(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime_exporter.prefork.everyone.PATIENCE", 60)
    with fleet_in(tmp_path, **ENVIRON) as fleet:
        fleet.worker()
        fleet.worker()
        served = Served(fleet.directory, Settings(port=0, profile_interval=2.0)).start()
        try:
            shown = wait_for(lambda: of_both(served.url), what="a window of both")[-1]
            assert "2 workers: 0, 1" in requests.get(f"{served.url}/profiles/{shown['id']}", timeout=20).text
            taken = pprof.decode(requests.get(f"{served.url}/debug/pprof/goroutine", timeout=20).content)
            assert "workers 0, 1" == taken.comments[0]
            refused = requests.get(f"{served.url}/debug/pprof/heap?seconds=1", timeout=20)
            assert "worker=N says which one" in refused.text
            assert [0, 1] == requests.get(f"{served.url}/api/v1/summary", timeout=20).json()["workers"]
            advice = requests.get(f"{served.url}/api/v1/recommendations", timeout=20).json()
            assert ([0, 1], []) == (advice["workers"], advice["missing"])
            fleet.end()
            assert requests.get(served.url + shown["url"], timeout=20).ok
            assert [0, 1] == requests.get(f"{served.url}/api/v1/summary?seconds=600", timeout=20).json()["workers"]
            assert [] == requests.get(f"{served.url}/api/v1/recommendations", timeout=20).json()["workers"]
        finally:
            served.close()


def of_whom(answer):
    assert answer.ok, answer.text
    return pprof.decode(answer.content).comments[0]


def test_memory_over_a_time_is_of_all_where_it_is_traced_anyway_and_where_that_is_asked_for(fleet, monkeypatch):
    monkeypatch.setattr("runtime_exporter.prefork.everyone.PATIENCE", 60)
    for _ in range(2):
        patient(fleet.worker()).do("import tracemalloc; tracemalloc.start()")
    asked = f"{fleet.url}/debug/pprof/heap?seconds=0.2"
    assert "workers 0, 1" == of_whom(requests.get(asked, timeout=30))
    alone = of_whom(requests.get(f"{asked}&worker=1", timeout=30))
    assert not alone.startswith("workers")
    served = Served(fleet.directory, Settings(port=0)).start()
    try:
        asked = f"{served.url}/debug/pprof/heap?seconds=0.2"
        assert "worker=all" in requests.get(asked, timeout=30).text
        assert "workers 0, 1" == of_whom(requests.get(f"{asked}&worker=all", timeout=30))
    finally:
        served.close()


def test_an_alert_takes_a_profile_of_all_workers_and_each_of_them_shows_it(fleet):
    for name in ("packing", "paying"):
        worker = patient(fleet.worker())
        thread_in(worker, name)
    alert = {"status": "firing", "labels": {"alertname": "RuntimeThreadLeakSuspected"}, "fingerprint": "f00d"}
    told = requests.post(f"{fleet.url}/-/alert", json={"version": "4", "alerts": [alert]}, timeout=20).json()
    assert ["accepted"] == [one["result"] for one in told["alerts"]]

    def taken():
        (found,) = requests.get(f"{fleet.url}/api/v1/profiles", timeout=20).json()["profiles"] or [None]
        return found

    kept = wait_for(taken, what="the profile")
    assert (None, "RuntimeThreadLeakSuspected") == (kept["pid"], kept["labels"]["alert"])
    pages = {}

    def shown():
        page = requests.get(f"{fleet.url}/profiles/alert/RuntimeThreadLeakSuspected", timeout=20)
        pages[page.headers["X-Runtime-Exporter-Worker"]] = page.text
        return len(pages) == 2

    wait_for(shown, what="a page of each")
    for page in pages.values():
        assert ["__main__:packing" in page, "__main__:paying" in page, "workers 0, 1" in page] == [True] * 3
