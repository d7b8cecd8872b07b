"""The demo as a user runs it: the whole stack, six faults, about two minutes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import tools
from runtime_exporter.demo.cases import CASES
from runtime_exporter.demo.scenario import GUILTY

DEMO = (sys.executable, "-m", "runtime_exporter", "demo")


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    """A machine with the programs, and with settings of its user's own, which are not the demo's."""
    monkeypatch.setenv("RUNTIME_EXPORTER_PORT", "1")
    monkeypatch.setenv("RUNTIME_EXPORTER_WEB_CONFIG_FILE", "/nowhere/web.yml")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    tools.require("prometheus", package="prometheus")
    tools.require("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")


def start(log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen((*DEMO, *arguments), stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_fault_is_noticed_told_and_resolved_and_nothing_else_fires(tmp_path):
    log, result = tmp_path / "log", tmp_path / "result.json"
    with start(log, "--json", str(result)) as demo:
        try:
            status = demo.wait(280)
        finally:
            demo.terminate()
    written = log.read_text()
    assert 0 == status, written
    answer = json.loads(result.read_text())
    assert [(case.fault, case.alert, "ok") for case in CASES] == [
        (fault["fault"], fault["alert"], fault["verdict"]) for fault in answer["faults"]
    ]
    assert ([], True, True) == (answer["misfired"], answer["watchdog"], answer["passed"])
    for fault in answer["faults"]:
        for messages in (fault["messages"], fault["resolved_messages"]):
            assert {"slack", "mail"} == set(messages)
            assert all(fault["alert"] in headline for headline in messages.values())
    guilty = [fault for fault in answer["faults"] if fault["function"]]
    assert {"RuntimeCpuSpike", "RuntimeProfileRegression"} == {fault["alert"] for fault in guilty}
    for fault in guilty:
        assert {"slack", "mail"} == set(fault["profiles"])
        assert all(profile["share"] >= GUILTY for profile in fault["profiles"].values())
        assert fault["function"] in written
    assert "\x1b" not in written
    assert "6 of 6 faults noticed, told and resolved" in written


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "mail sink"), (signal.SIGINT, "everything is up"), (signal.SIGTERM, "everything is up")],
    ids=["Ctrl-C while it starts", "Ctrl-C in the middle", "SIGTERM in the middle"],
)
def test_an_interrupted_demo_leaves_nothing_running(tmp_path, monkeypatch, number, moment):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    log = tmp_path / "log"
    with start(log, "--fault", "errors") as demo:
        try:
            tools.wait_for(lambda: moment in log.read_text() or demo.poll() is not None, seconds=90, what=moment)
            started = psutil.Process(demo.pid).children(recursive=True)
            demo.send_signal(number)
            status = demo.wait(15)
        finally:
            demo.kill()
    assert 130 == status, log.read_text()
    assert len(started) >= 4
    assert [] == [process for process in started if not gone(process)]
    assert [log] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("missing", "package"),
    [("prometheus", "prometheus"), ("prometheus-alertmanager", "prometheus-alertmanager")],
)
def test_a_missing_program_is_named_with_its_package(tmp_path, monkeypatch, missing, package):
    for name in {"prometheus", "prometheus-alertmanager"} - {missing}:
        (tmp_path / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = subprocess.run(DEMO, capture_output=True, text=True, check=False, timeout=60)
    assert (1, f"error: {missing} is not installed: apt-get install {package} (or put it on PATH)\n") == (
        outcome.returncode,
        outcome.stderr,
    )


def test_a_result_that_could_not_be_written_is_refused_before_anything_starts(tmp_path):
    result = tmp_path / "nowhere" / "result.json"
    outcome = subprocess.run((*DEMO, "--json", str(result)), capture_output=True, text=True, check=False, timeout=60)
    assert (2, "") == (outcome.returncode, outcome.stdout)
    assert f"{result.parent} is no directory" in outcome.stderr


def test_an_unknown_fault_is_refused():
    outcome = subprocess.run((*DEMO, "--fault", "rain"), capture_output=True, text=True, check=False, timeout=60)
    assert 2 == outcome.returncode
    assert "'rain' is not one of" in outcome.stderr
