"""What an agent sends elsewhere: each target under its own name, of its own interval only, and what was taken for alerts."""

from __future__ import annotations

import json
import time

import pytest

from busy_service import busy_service
from pyroscope_stub import Pyroscope, form
from runtime_exporter.agent.agent import Agent
from runtime_exporter.agent.config import Target
from runtime_exporter.agent.outward import labels_of, of_the_interval
from runtime_exporter.demo.sinks import HTTPSink
from runtime_exporter.errors import ConfigError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.alerts import Alert
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.settings import load
from tools import wait_for

WORK, SETUP = (Frame("main.work"),), (Frame("main.setup"),)
HEAP = build("heap", [(WORK, (9, 900, 1, 100), ()), (SETUP, (5, 500, 0, 0), ())], time_nanos=0, duration_nanos=0)


@pytest.fixture
def pyroscope():
    server = Pyroscope()
    yield server
    server.close()


def test_memory_that_is_in_use_goes_without_what_was_allocated_since_the_start():
    sent = of_the_interval(HEAP, "heap")

    assert ["inuse_objects", "inuse_space"] == [one.type for one in sent.sample_types]
    assert [(1, 100)] == [one.values for one in sent.samples]
    assert HEAP.locations == sent.locations


def test_what_was_allocated_goes_without_what_is_in_use():
    sent = of_the_interval(HEAP, "allocs")

    assert ["alloc_objects", "alloc_space"] == [one.type for one in sent.sample_types]
    assert [(9, 900), (5, 500)] == [one.values for one in sent.samples]


def test_other_kinds_go_as_they_are():
    cpu = build("cpu", [(WORK, (1, 10), ())], time_nanos=0, duration_nanos=0)

    assert of_the_interval(cpu, "cpu") is cpu


def test_a_service_elsewhere_has_the_name_of_its_machine_and_a_process_has_ours():
    go = Target(
        name="shop-go", url="http://10.0.0.7:6060", job="shop", instance="10.0.0.7:6060", labels={"env": "live"}
    )

    assert {
        "env": "live",
        "service_name": "shop",
        "instance": "10.0.0.7:6060",
        "hostname": "10.0.0.7",
    } == labels_of(go)
    assert "hostname" not in labels_of(Target(name="batch", pid=7, job="batch", instance="batch"))


def test_profiles_of_a_target_go_to_pyroscope_and_word_of_those_for_alerts_to_grafana(pyroscope, tmp_path):
    file = tmp_path / "targets.yaml"
    with busy_service(profile_endpoints=False) as service, HTTPSink() as grafana:
        file.write_text(f"interval: 1s\ntargets: [{{name: worker, pid: {service.pid}, job: shop, version: '1.2'}}]\n")
        given = {"port": 0, "pyroscope_url": pyroscope.url, "grafana_url": grafana.url, "alert_profile_seconds": 1}
        agent = Agent(file, load(given, {})).start()
        try:
            wait_for(lambda: pyroscope.got, what="a profile in Pyroscope")
            worker = agent.fleet.watched["worker"]
            began = worker.watcher.source.started
            assert worker.captures.ask(Alert("RuntimeHttpLatencyHigh", {"profile": "cpu"})).accepted
            wait_for(lambda: grafana.posts, what="an annotation in Grafana")
            home = agent.url
            wait_for(lambda: worker.shelf.entries(labels={"alert": "RuntimeHttpLatencyHigh"}), what="the profile")
            assert {service.pid} == {one.process for one in worker.shelf.entries()}
        finally:
            agent.close()
    got = pyroscope.got[0]
    _, files = form(got)
    name = got.query["name"][0]
    annotation = json.loads(grafana.posts[0].body)

    assert name.startswith("shop{hostname=")
    assert ("instance=worker" in name, "version=1.2" in name) == (True, True)
    assert pprof.decode(files["profile"]).samples
    assert f"{home}/targets/worker/profiles/" in annotation["text"]
    assert 0 < time.time() - began < 600


def test_what_is_wrong_is_said_before_anything_is_watched(tmp_path):
    file = tmp_path / "targets.yaml"
    file.write_text("targets: [{name: batch, pid: 1}]\n")
    missing = str(tmp_path / "token")

    with pytest.raises(ConfigError, match="grafana_token_file"):
        Agent(file, load({"grafana_url": "http://g", "grafana_token_file": missing}, {}))
    with pytest.raises(ConfigError, match="pyroscope_token_file"):
        Agent(file, load({"port": 0, "pyroscope_url": "http://p", "pyroscope_token_file": missing}, {})).start()
