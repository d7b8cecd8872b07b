"""An alert that fires has a profile taken of a real process, and the link of its notification shows the guilty function."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import bcrypt
import pytest
import requests
import yaml

from busy_service import busy_service
from go_tools import require_go
from notifications import alert, write
from runtime_exporter.demo.sinks import HTTPSink
from runtime_exporter.profiling.alerts import KINDS
from runtime_exporter.profiling.stoppable import can_stop
from tools import free_port, require, wait_for

GUILTY = "__main__:burns_cpu_here"


def notification(*names, port, **more):
    labels = {"job": "shop", "instance": f"127.0.0.1:{port}", "severity": "warning"}
    return {
        "version": "4",
        "alerts": [
            {"status": "firing", "labels": {**labels, "alertname": name}, "fingerprint": "2a8c5d6c8a9e8f70", **more}
            for name in names
        ],
    }


def port_of(url):
    return int(url.rpartition(":")[2])


@pytest.fixture(scope="module")
def grafana():
    with HTTPSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def service(grafana, tmp_path_factory):
    """A service that burns CPU in burns_cpu_here(), keeps profiles, and tells Grafana of them."""
    token = tmp_path_factory.mktemp("secrets") / "token"
    token.write_text("glsa_secret\n")
    directory = tmp_path_factory.mktemp("profiles")
    settings = {
        "port": free_port(),
        "alert_profile_seconds": 2,
        "alert_heap_seconds": 1,
        "profile_directory": directory,
        "grafana_url": grafana.url,
        "grafana_token_file": token,
        "service_version": "1.4",
    }
    with busy_service(**settings) as running:
        yield running


def get(service, path):
    return requests.get(service.url + path, timeout=30)


def post(service, *names, **more):
    body = notification(*names, port=port_of(service.url), **more)
    return requests.post(service.url + "/-/alert", json=body, timeout=10).json()["alerts"]


def taken(service, name):
    """The rows of the list with a profile for this alert, once there is one."""

    def kept():
        rows = get(service, "/api/v1/profiles").json()["profiles"]
        return [row for row in rows if row["labels"].get("alert") == name]

    return wait_for(kept, what=f"the profile for {name}")


def test_a_cpu_spike_has_a_profile_taken_that_names_the_guilty_function_wherever_one_looks(service):
    link = f"{service.url}/profiles/alert/RuntimeCpuSpike"
    (row,) = post(service, "RuntimeCpuSpike", annotations={"profile_url": link})
    assert ("accepted", "cpu") == (row["result"], row["profile"])
    assert "being taken for this alert" in requests.get(link, timeout=10).text

    (kept,) = taken(service, "RuntimeCpuSpike")
    assert {"alert": "RuntimeCpuSpike", "fingerprint": "2a8c5d6c8a9e8f70", "version": "1.4"} == kept["labels"]
    page = requests.get(link, params={"function": GUILTY}, timeout=10).text
    assert re.search(r'<tr class="chosen">(?:(?!</tr>).)*' + GUILTY, page, re.DOTALL)

    file = re.search(r'href="(/profiles/[^"]*/pprof)"', page)[1]
    top = require_go().run("tool", "pprof", "-top", service.url + file)[0]
    assert GUILTY in top
    comments = require_go().run("tool", "pprof", "-comments", service.url + file)[0]
    assert "alert label severity=warning" in comments


def test_grafana_is_told_with_the_link_for_whom_reads_the_notification(service, grafana):
    post(service, "RuntimeHttpLatencyHigh", annotations={"profile_url": "https://shop.example/p/profiles/alert/X"})
    (kept,) = taken(service, "RuntimeHttpLatencyHigh")

    def told():
        return [one for one in grafana.posts if "RuntimeHttpLatencyHigh" in one.json["tags"]]

    (annotation,) = wait_for(told, what="the annotation")
    assert "/api/annotations" == annotation.path
    assert "Bearer glsa_secret" == annotation.headers["Authorization"]
    assert ["runtime-exporter", "profile", "RuntimeHttpLatencyHigh", "wall"] == annotation.json["tags"]
    assert (
        f'href="https://shop.example/p/profiles/{kept["id"].replace("%", "%25").replace(",", "%2C").replace("=", "%3D")}"'
        in annotation.json["text"]
    )
    assert 1500 < annotation.json["timeEnd"] - annotation.json["time"] < 60_000


def test_memory_and_threads_are_taken_as_what_they_are(service):
    post(service, "RuntimeMemoryLeakSuspected", "RuntimeThreadLeakSuspected")

    if can_stop():
        assert ["heap"] == [row["kind"] for row in taken(service, "RuntimeMemoryLeakSuspected")]
    else:  # tracing is not begun, and the page says why and what to do
        page = "/profiles/alert/RuntimeMemoryLeakSuspected"
        wait_for(lambda: "the setting profile_heap" in get(service, page).text, what="the reason to be told")
    assert ["goroutine"] == [row["kind"] for row in taken(service, "RuntimeThreadLeakSuspected")]
    assert "MainThread" in get(service, "/debug/pprof/goroutine?debug=2").text
    assert "__main__:" in get(service, "/profiles/alert/RuntimeThreadLeakSuspected").text


def test_what_was_taken_and_skipped_is_counted_without_a_profiler_that_is_always_on(service):
    post(service, "RuntimeProfileRegression")
    taken(service, "RuntimeProfileRegression")
    (again,) = post(service, "RuntimeProfileRegression")
    assert "skipped" == again["result"]

    metrics = get(service, "/metrics").text
    assert re.search(r'^profile_captures_total\{profile="cpu",result="kept"\} [12]', metrics, re.MULTILINE)
    assert re.search(r'^profile_captures_total\{profile="cpu",result="skipped"\} 1', metrics, re.MULTILINE)
    assert re.search(r'^profile_last_capture_timestamp_seconds\{profile="cpu",result="kept"\} 1', metrics, re.MULTILINE)
    assert "runtime_exporter_profiler_bias_ratio" not in metrics


def test_alerts_are_behind_the_door_of_the_metrics(tmp_path):
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    web.write_text(yaml.safe_dump({"basic_auth_users": {"alertmanager": hashed}}))
    with busy_service(port=free_port(), web_config_file=web) as service:
        body = notification("RuntimeFdExhaustion", port=port_of(service.url))
        answers = [
            requests.post(service.url + "/-/alert", json=body, timeout=10, auth=auth)
            for auth in (None, ("alertmanager", "wrong"), ("alertmanager", "correct horse"))
        ]
        pages = [get(service, path).status_code for path in ("/profiles", "/profiles/alert/RuntimeCpuSpike")]

    assert [401, 401, 200] == [answer.status_code for answer in answers]
    assert [401, 401] == pages


def test_a_real_alertmanager_has_a_profile_taken_with_its_user_and_password(tmp_path):
    (tmp_path / "password").write_text("correct horse")
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    web.write_text(yaml.safe_dump({"basic_auth_users": {"alertmanager": hashed}}))
    with busy_service(port=free_port(), web_config_file=web, alert_profile_seconds=1) as service:
        url = service.url + "/-/alert"
        who = {"username": "alertmanager", "credentialsFile": str(tmp_path / "password")}
        config = write(tmp_path / "config", {"alertmanager": {"profiling": {"enabled": True, "url": url, **who}}})
        address = f"127.0.0.1:{free_port()}"
        command = [
            require("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager"),
            f"--config.file={config}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                wait_for(lambda: answers(f"http://{address}/-/ready"), what="a ready Alertmanager")
                fired = alert("shop", name="RuntimeCpuSpike", labels={"instance": f"127.0.0.1:{port_of(service.url)}"})
                requests.post(f"http://{address}/api/v2/alerts", json=[fired], timeout=30).raise_for_status()
                page = f"{service.url}/profiles/alert/RuntimeCpuSpike"
                user = ("alertmanager", "correct horse")
                wait_for(lambda: GUILTY in answers(page, auth=user), what="the page that names the guilty function")
            finally:
                process.kill()


def answers(url, **options):
    """The text of a page, empty while there is none."""
    try:
        answer = requests.get(url, timeout=30, **options)
    except requests.RequestException:
        return ""
    return answer.text if answer.ok else ""


def test_alerts_can_be_told_to_take_nothing_and_the_pages_say_so():
    with busy_service(port=free_port(), alert_profiling=False) as service:
        body = notification("RuntimeCpuSpike", port=port_of(service.url))
        refused = requests.post(service.url + "/-/alert", json=body, timeout=10)
        page = get(service, "/profiles/alert/RuntimeCpuSpike")

    assert 501 == refused.status_code
    assert "alert_profiling" in refused.json()["error"]
    assert "alerts take no profiles here" in page.text


def test_every_alert_of_the_table_is_one_that_the_rules_have():
    rules = yaml.safe_load((Path(__file__).resolve().parents[2] / "generated" / "rules" / "alerts.yaml").read_text())
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

    assert set() == KINDS.keys() - names
