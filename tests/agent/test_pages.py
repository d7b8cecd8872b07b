"""The pages of an agent and of its targets: which there are, who may ask, and what comes of alerts."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from runtime_exporter.agent.agent import Agent
from runtime_exporter.agent.config import load as load_targets
from runtime_exporter.agent.fleet import Fleet
from runtime_exporter.metrics.exposition import TEXT
from runtime_exporter.profiling.pipeline import Taken
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.settings import load
from tools import wait_for

TARGETS = "targets:\n  - {name: one, url: 'http://127.0.0.1:9'}\n"
CPU = build(
    "cpu", [((Frame("main.slow", "main.go", 7),), (1, 10**9), ())], time_nanos=time.time_ns(), duration_nanos=10**9
)


@pytest.fixture
def agent(tmp_path):
    """Start agents in this process; each is closed."""
    running = []

    def start(text=TARGETS, **settings):
        file = tmp_path / "targets.yaml"
        file.write_text(text)
        one = Agent(file, load({"port": 0, **settings}, {}))
        running.append(one)
        return one.start()

    yield start
    for one in running:
        one.close()


def alert(name="RuntimeCpuSpike", target="one", **more):
    labels = {"alertname": name, "job": target, "instance": "127.0.0.1:9"}
    return {"version": "4", "alerts": [{"status": "firing", "labels": labels}], **more}


@pytest.mark.parametrize("off", ["debug_endpoints", "profile_endpoints"])
def test_without_pages_of_profiles_there_are_metrics_only(agent, off):
    url = agent(**{off: False}).url

    for path in ("debug/pprof/", "profiles", "api/v1/profiles", "api/v1/summary", "api/v1/recommendations"):
        assert 404 == requests.get(f"{url}/targets/one/{path}", timeout=10).status_code
    for path in ("/-/alert", "/targets/one/-/alert"):
        assert 404 == requests.post(url + path, json=alert(), timeout=10).status_code
    assert requests.get(f"{url}/targets/one/metrics", timeout=10).status_code in {200, 503}
    assert "/metrics" in requests.get(f"{url}/targets/one/", timeout=10).text


def test_what_a_form_of_a_foreign_page_can_send_takes_no_profile(agent):
    url = agent().url
    answer = requests.post(f"{url}/-/alert", data=json.dumps(alert()), timeout=10)

    assert 415 == answer.status_code


def test_profiles_for_alerts_are_counted_with_those_of_the_target(agent):
    running = agent()
    watched = running.fleet.watched["one"]
    requests.post(f"{running.url}/-/alert", json=alert(), timeout=10)
    wait_for(lambda: watched.captures.left("RuntimeCpuSpike") is None, what="the target turned out to be away")

    assert b'profile_captures_total{profile="cpu",result="failed"} 1.0' in watched.metrics.expose(TEXT)


def test_all_targets_together_keep_what_the_limit_allows_after_some_were_added(tmp_path):
    settings = load({"profile_directory": str(tmp_path / "kept"), "profile_bytes_limit": 1_000_000}, {})
    fleet = Fleet(settings)
    try:
        for number in (1, 4):
            file = tmp_path / "targets.yaml"
            rows = [f"  - {{name: t{one}, url: 'http://127.0.0.1:{one + 1}'}}" for one in range(number)]
            file.write_text("\n".join(["targets:", *rows]))
            fleet.become(load_targets(file))
            assert [1_000_000 // number] * number == [one.store.limit for one in fleet.watched.values()]
    finally:
        fleet.close()


def test_a_profile_of_a_target_is_not_said_to_be_of_the_agents_process(agent, tmp_path):
    running = agent(profile_directory=str(tmp_path / "kept"))
    watched = running.fleet.watched["one"]
    watched.watcher.pipeline.take_in(Taken({"cpu": CPU}, 1e9, 1e9 + 1))
    (entry,) = watched.shelf.entries("cpu")
    (row,) = requests.get(f"{running.url}/targets/one/api/v1/profiles", timeout=10).json()["profiles"]
    page = requests.get(f"{running.url}/targets/one/profiles/{entry.name}", timeout=10)

    assert (0, entry.name, None) == (entry.process, row["id"], row["pid"])
    assert (200, False) == (page.status_code, "process " in page.text)


def test_who_leaves_the_page_of_a_profile_ends_it_at_the_target(agent):
    ended = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self):
            if "seconds=60" in self.path:
                if self.rfile.read(1) == b"":  # waits for the end of the connection
                    ended.set()
            else:
                self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = agent(f"targets:\n  - {{name: one, url: 'http://127.0.0.1:{server.server_port}'}}\n").url
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{url}/targets/one/debug/pprof/profile?seconds=60", timeout=1)
        assert ended.wait(20)
        server.shutdown()


def test_targets_for_which_there_is_no_thread_change_nothing(agent, monkeypatch, caplog):
    running = agent()
    (running._config).write_text(
        "targets:\n  - {name: two, url: 'http://127.0.0.1:2'}\n  - {name: three, url: 'http://127.0.0.1:3'}\n"
    )
    before, threads = running.fleet.watched, set(threading.enumerate())

    def start(thread, _):
        if thread.name.endswith("-three"):
            raise RuntimeError("can't start new thread")
        thread.start()

    monkeypatch.setattr("runtime_exporter.ownthread.COSTS.start", start)
    with caplog.at_level("ERROR", "runtime_exporter"):
        assert not running.reload()
    assert before == running.fleet.watched
    assert "the last ones stay: target three cannot be watched: can't start new thread" in caplog.text
    assert [] == [one.name for one in set(threading.enumerate()) - threads if "target" in one.name]
    monkeypatch.undo()
    assert running.reload()
    assert ["two", "three"] == [*running.fleet.watched]
