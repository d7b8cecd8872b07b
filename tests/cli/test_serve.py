"""`runtime-exporter serve DIR`: a process that answers for workers and is none."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import pytest
import requests

from runtime_exporter.errors import ConfigError
from runtime_exporter.http import compiled
from runtime_exporter.prefork.service import Service
from runtime_exporter.settings import load
from runtime_exporter.web.health import DEGRADED
from tools import free_port, wait_for
from worker_process import fleet_in

VERB = (sys.executable, "-m", "runtime_exporter", "serve")


@contextlib.contextmanager
def serving(directory, *options, **environ):
    """Yield the process and its URL."""
    port = free_port()
    process = subprocess.Popen(
        [*VERB, str(directory), "--port", str(port), *options], stderr=subprocess.PIPE, text=True, **environ
    )
    url = f"http://127.0.0.1:{port}"

    def answers():
        assert process.poll() is None, process.stderr.read()
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{url}/-/ready", timeout=10).ok

    try:
        wait_for(answers, what="it answers")
        yield process, url
    finally:
        process.kill()
        process.communicate()


def series(url):
    lines = (line.rpartition(" ") for line in requests.get(f"{url}/metrics", timeout=10).text.splitlines())
    return {name: value for name, _, value in lines if name[:1] != "#"}


def health(url):
    return requests.get(f"{url}/health", timeout=10).json()["status"]


def run(*arguments):
    return subprocess.run([*VERB, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_an_empty_directory_is_served_as_one_of_no_workers_and_an_interrupt_ends_it_cleanly(tmp_path):
    with serving(tmp_path) as (process, url):
        assert "0.0" == series(url)['runtime_exporter_workers{state="live"}']
        health = requests.get(f"{url}/health", timeout=10)
        assert (200, "degraded") == (health.status_code, health.json()["status"])
        nobody = requests.get(f"{url}/debug/pprof/goroutine", timeout=10)
        assert (500, "Could not take the profile goroutine: no worker lives\n") == (nobody.status_code, nobody.text)
        assert "0 profiles" in requests.get(f"{url}/profiles", timeout=10).text
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(30)
        assert "Traceback" not in process.stderr.read()


def test_it_answers_for_workers_that_live_and_that_lived_and_is_none_of_them(tmp_path):
    with fleet_in(tmp_path) as fleet, serving(fleet.directory, env=None) as (process, url):
        for worker in (fleet.worker(), fleet.worker()):
            worker.do("counter.labels('a').inc(2)")
        # What a check said is kept for a moment, and nobody lived when we asked whether it serves.
        wait_for(lambda: "healthy" == health(url), what="somebody lives")
        found = series(url)
        assert "4.0" == found['orders_total{kind="a"}']
        assert "2.0" == found['runtime_exporter_workers{state="live"}']
        wait_for(lambda: 'worker_process_open_fds{worker="1"}' in series(url), what="the second is measured")
        assert {worker.pid for worker in fleet.workers}.isdisjoint({process.pid})

        fleet.end()
        wait_for(lambda: "0.0" == series(url)['runtime_exporter_workers{state="live"}'], what="nobody lives")
        found = series(url)
        assert "4.0" == found['orders_total{kind="a"}']
        assert 'worker_process_open_fds{worker="1"}' not in found
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(30)


def test_what_counts_the_requests_of_workers_is_theirs_to_say(tmp_path):
    def said():
        return {name: value for name, value in series(url).items() if name.startswith("runtime_exporter_compiled")}

    with fleet_in(tmp_path) as fleet, serving(fleet.directory, env=None) as (_, url):
        assert {} == said()
        fleet.worker()
        series(fleet.url)  # a worker that is asked brings its numbers up to date
        used = {
            f'runtime_exporter_compiled{{interface="{name}"}}': f"{there:.1f}"
            for name, there in compiled.used().items()
        }
        assert used == wait_for(said, what="a worker says what counts its requests")


def test_in_the_environment_of_the_workers_it_is_not_one_of_them(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNTIME_EXPORTER_RUN_DIRECTORY", str(tmp_path))
    with serving(tmp_path) as (_, url):
        assert "0.0" == series(url)['runtime_exporter_workers{state="live"}']


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["/nowhere/run"], 2, "/nowhere/run: no such directory"),
        ([__file__], 2, "not a directory"),
        ([], 2, "DIR"),
        ([".", "--port", "nine"], 2, "port = 'nine'"),
        ([".", "--profile-top", "1"], 2, "--profile-top"),
    ],
)
def test_a_mistake_is_one_line(arguments, code, said):
    done = run(*arguments)
    assert (code, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert said in done.stderr


def test_files_that_the_user_may_not_read_are_told_and_not_taken_for_nobodys(tmp_path, monkeypatch):
    service = Service(tmp_path, load({"port": 0}, environ={}))
    assert (DEGRADED, "no worker lives") == service._workers_health()
    (tmp_path / "0.worker").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=r"0\.worker: may not be read by this user"):
        service.start()
    assert "may not be read" in service._workers_health()[1]


def test_help_says_what_it_is_for_and_offers_what_concerns_it():
    text = run("--help").stdout
    assert "run_directory" in text
    assert "--web-config-file" in text
    assert "--profiling" not in text
