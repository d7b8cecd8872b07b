"""Profiles of a real process, asked for over HTTP by the tools that people use."""

from __future__ import annotations

import bcrypt
import pytest
import requests

from runtime_exporter import Exporter
from runtime_exporter.http import HTTPMetrics
from runtime_exporter.metrics import CollectorRegistry
from runtime_exporter.profiling import pprof
from runtime_exporter.settings import Settings

PATHS = ["/debug/pprof/", "/debug/pprof/goroutine", "/debug/pprof/cmdline", "/debug/pprof/symbol"]


@pytest.fixture
def start():
    """Start exporters with settings, closed with the test."""
    started = []

    def begin(**settings):
        exporter = Exporter(Settings(port=0, **settings), registry=CollectorRegistry(), http=HTTPMetrics()).start()
        started.append(exporter)
        return exporter

    yield begin
    for exporter in started:
        exporter.close()


def get(exporter, path, **options):
    return requests.get(exporter.url + path, timeout=30, **options)


def test_threads_of_this_process_are_served_and_linked(start):
    exporter = start()
    profile = pprof.decode(get(exporter, "/debug/pprof/goroutine").content)

    assert any(label.str == "MainThread" for sample in profile.samples for label in sample.labels)
    assert 'href="/debug/pprof"' in get(exporter, "/").text
    assert {200} == {get(exporter, path).status_code for path in PATHS}


@pytest.mark.parametrize("closed", [{"profile_endpoints": False}, {"debug_endpoints": False}])
def test_profiles_can_be_closed_apart_from_the_metrics(start, closed):
    exporter = start(**closed)

    assert {404} == {get(exporter, path).status_code for path in PATHS}
    assert "/debug/pprof" not in get(exporter, "/").text
    assert 200 == get(exporter, "/metrics").status_code


def test_profiles_are_behind_the_door_of_the_metrics(start, tmp_path):
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    web.write_text(f"basic_auth_users:\n  ops: {hashed}\n")
    exporter = start(web_config_file=str(web))

    assert {401} == {get(exporter, path).status_code for path in [*PATHS, "/metrics"]}
    assert {200} == {get(exporter, path, auth=("ops", "correct horse")).status_code for path in PATHS}
