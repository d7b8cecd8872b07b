"""`runtime-exporter act` as a process of its own, asked over HTTP, and by a real Alertmanager."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import requests
import yaml

from notifications import alert, write
from tools import free_port, require, wait_for

VERB = [sys.executable, "-m", "runtime_exporter", "act"]
SECRET = "a-secret-of-32-bytes-for-the-test"


class Running:
    """The verb, its file and its audit log."""

    def __init__(self, directory, *actions, options=(), **top):
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (directory / "secret").write_text(SECRET + "\n")
        self.audit_file = directory / "audit.jsonl"
        head = {"port": self.port, "secret_file": "secret", "audit_log": "audit.jsonl", "dry_run": False, **top}
        self.file = directory / "actions.yaml"
        self.file.write_text(yaml.safe_dump({**head, "actions": list(actions)}))
        self.file.chmod(0o600)  # whatever the umask
        self.log = directory / "log"
        self.options = options
        self.begin()

    def begin(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*VERB, "--config", str(self.file), *self.options], stdout=log, stderr=log, cwd=self.directory
            )
        wait_for(self._answers, what="the verb answers")

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/-/healthy", timeout=30).ok
        except requests.RequestException:
            return False

    def post(self, *alerts, headers=None, **more):
        body = {"version": "4", "alerts": list(alerts), **more}
        headers = {"Authorization": f"Bearer {SECRET}"} if headers is None else headers
        return requests.post(f"{self.url}/-/act", json=body, headers=headers, timeout=30)

    def audit(self, event):
        rows = [json.loads(line) for line in self.audit_file.read_text().splitlines()]
        return [row for row in rows if row["event"] == event]

    def ended(self, count=1):
        return wait_for(lambda: len(rows := self.audit("ended")) >= count and rows, what="a command has ended")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def running(tmp_path):
    started = []

    def run(*actions, **more):
        started.append(Running(tmp_path, *actions, **more))
        return started[-1]

    run.directory = tmp_path
    yield run
    for each in started:
        each.kill()


def fired(name="Down", status="firing", **labels):
    return {
        "status": status,
        "labels": {"alertname": name, "job": "shop", **labels},
        "annotations": {},
        "fingerprint": labels.get("instance", "f"),
        "startsAt": "2026-01-01T10:00:00Z",
    }


def echo(**more):
    return {"name": "note", "alert": "Down", "command": ["/bin/echo", "restarting shop"], **more}


def test_a_listed_alert_has_its_command_run_and_written_down(running):
    verb = running(echo(labels={"job": "shop"}))
    answer = verb.post(fired())
    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": False,
        "alerts": [
            {"alert": "Down", "action": "note", "command": ["/bin/echo", "restarting shop"], "result": "accepted"}
        ],
    }
    [ended] = verb.ended()
    assert (ended["code"], ended["output"], ended["problem"]) == (0, "restarting shop\n", "")
    assert [row["event"] for row in map(json.loads, verb.audit_file.read_text().splitlines())] == [
        "accepted",
        "begun",
        "ended",
    ]
    assert verb.audit_file.stat().st_mode & 0o777 == 0o600
    assert verb.end() == 0


def samples(verb):
    """The samples of /metrics that are not 0, which nobody needs the secret for."""
    answer = requests.get(f"{verb.url}/metrics", timeout=30)
    assert answer.status_code == 200
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name.removeprefix("runtime_exporter_act_"): float(value) for name, _, value in lines if float(value)}


def test_what_was_run_and_what_was_refused_is_counted(running):
    verb = running(echo(), echo(name="fails", alert="Bad", command=["/bin/false"]))
    assert samples(verb) == {}
    started = time.time()
    verb.post(fired(), fired("Bad"), fired("Other"), fired("Another", job="x" * 50))
    verb.post(fired(), headers={})
    verb.post(fired())
    verb.post(version="3")
    verb.ended(2)
    found = samples(verb)
    times = [found.pop(f'last_run_timestamp_seconds{{action="{name}"}}') for name in ("note", "fails")]
    assert all(started <= at <= time.time() for at in times)
    assert all(found.pop(f'run_seconds_sum{{action="{name}"}}') > 0 for name in ("note", "fails"))
    assert found == {
        'runs_total{action="note",result="ok"}': 1,
        'runs_total{action="fails",result="failed"}': 1,
        'run_seconds_count{action="note"}': 1,
        'run_seconds_count{action="fails"}': 1,
        'refused_total{reason="unlisted"}': 2,
        'refused_total{reason="repeated"}': 1,
        'refused_total{reason="secret"}': 1,
        'refused_total{reason="notification"}': 1,
    }
    promtool = require("promtool", package="prometheus")
    text = requests.get(f"{verb.url}/metrics", timeout=30).text
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_a_dry_run_says_so_in_its_metrics(running):
    verb = running(echo(), dry_run=True)
    verb.post(fired())
    assert samples(verb) == {"dry_run": 1}


def test_what_is_not_listed_is_refused_and_written_down(running):
    verb = running(echo(labels={"job": "shop"}))
    answers = verb.post(fired("Other"), fired(job="shop2"), fired(status="resolved")).json()["alerts"]
    assert [row["result"] for row in answers] == ["refused"] * 3
    assert [row["reason"] for row in verb.audit("refused")] == [row["reason"] for row in answers]
    assert verb.audit("begun") == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {SECRET}x"},
        {"Authorization": SECRET},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic YTpi"},
    ],
)
def test_without_the_secret_nobody_is_heard(running, headers):
    verb = running(echo())
    answer = verb.post(fired(), headers=headers)
    assert (answer.status_code, answer.text) == (401, "401 Unauthorized\n")
    assert not verb.audit_file.exists() or verb.audit_file.read_text() == ""


def test_the_secret_may_be_a_password_and_may_change(running):
    verb = running(echo())
    assert requests.post(f"{verb.url}/-/act", json={}, auth=("alertmanager", SECRET), timeout=30).status_code == 400
    (verb.directory / "secret").write_text("another-secret-of-many-bytes")
    assert verb.post(fired()).status_code == 401
    assert verb.post(fired(), headers={"Authorization": "Bearer another-secret-of-many-bytes"}).status_code == 200
    (verb.directory / "secret").write_text("")
    assert verb.post(fired(), headers={"Authorization": "Bearer "}).status_code == 401


def test_without_being_switched_on_nothing_is_run(running):
    verb = running(echo(command=["/usr/bin/touch", "touched"], directory="/tmp"), dry_run=True)
    [row] = verb.post(fired()).json()["alerts"]
    assert row["result"] == "dry run"
    assert [each["command"] for each in verb.audit("dry run")] == [["/usr/bin/touch", "touched"]]
    assert (verb.audit("begun"), verb.end()) == ([], 0)


def test_the_command_line_can_only_be_more_careful(running):
    verb = running(echo(), options=["--dry-run"])
    assert verb.post(fired()).json()["dry_run"] is True


def test_the_limits_hold_over_a_restart(running):
    verb = running(echo())
    verb.post(fired())
    verb.ended()
    assert verb.end() == 0
    verb.begin()
    [row] = verb.post(fired()).json()["alerts"]
    assert row["reason"] == "it was run for this alert already"
    [row] = verb.post({**fired(), "startsAt": "2026-01-02T10:00:00Z"}).json()["alerts"]
    assert row["reason"].startswith("cool-down")


def test_a_label_in_an_argument_has_to_be_one_of_those_allowed(running):
    verb = running(echo(command=["/bin/echo", "{instance}"], values={"instance": r"10\.0\.0\.\d+:9464"}))
    rows = verb.post(fired(instance="10.0.0.7:9464"), fired(instance="10.0.0.7:9464; reboot"), fired()).json()["alerts"]
    assert [row["result"] for row in rows] == ["accepted", "refused", "refused"]
    [ended] = verb.ended()
    assert ended["output"] == "10.0.0.7:9464\n"


def test_the_command_is_told_the_alert(running):
    verb = running(echo(command=["/bin/cat"]))
    verb.post(fired(severity="critical"))
    [ended] = verb.ended()
    assert json.loads(ended["output"])["labels"] == {"alertname": "Down", "job": "shop", "severity": "critical"}


def test_one_that_hangs_does_not_hold_up_the_end(running):
    verb = running(echo(command=["/bin/sleep", "600"], timeout="10m"))
    verb.post(fired())
    wait_for(lambda: verb.audit("begun"), what="the command has begun")
    assert verb.end(signal.SIGINT) == 130
    [ended] = verb.audit("ended")
    assert (ended["code"], ended["problem"]) == (-15, "we were ended")
    assert "Traceback" not in verb.log.read_text()


def test_too_many_at_once_are_refused(running):
    verb = running(
        echo(command=["/bin/sleep", "600"], timeout="10m"),
        echo(name="more", alert="Busy", command=["/bin/echo", "{instance}"], values={"instance": "x[0-9]+"}),
        rate_limit={"runs": 1000},
    )
    verb.post(fired())
    wait_for(lambda: verb.audit("begun"), what="the command has begun")
    rows = verb.post(*(fired("Busy", instance=f"x{n}") for n in range(20))).json()["alerts"]
    assert [row["result"] for row in rows] == ["accepted"] * 16 + ["refused"] * 4
    assert rows[-1]["reason"] == "too many commands wait"
    verb.end()
    assert len(verb.audit("dropped")) == 16


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "this is not JSON"),
        (b"[" * 100_000, 400, "this is not JSON"),
        (b'{"version":"4"}', 400, "it has no list of alerts"),
        (b'{"version":"3","alerts":[]}', 400, "version 4"),
        (b'{"version":"4","alerts":[5]}', 400, "alerts[0] is no object"),
        (b'{"version":"4","alerts":[{"labels":{"alertname":5}}]}', 400, "alerts[0].labels is no object of texts"),
        (b'{"version":"4","alerts":[{"labels":{}}]}', 400, "alerts[0].labels has no alertname"),
        (b'{"version":"4","alerts":[{"labels":{"alertname":"\\ud800"}}]}', 200, "no action is listed"),
        (b" " * (1024 * 1024 + 1), 413, "at most 1048576 bytes"),
    ],
    ids=["nothing", "deep", "no alerts", "version", "number", "no text", "no name", "half a character", "large"],
)
def test_what_is_no_notification_is_refused_and_survived(running, body, status, said):
    verb = running(echo())
    headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
    answer = requests.post(f"{verb.url}/-/act", data=body, headers=headers, timeout=30)
    assert answer.status_code == status
    assert said in answer.text
    form = requests.post(f"{verb.url}/-/act", data=b"{}", headers={"Authorization": f"Bearer {SECRET}"}, timeout=30)
    assert form.status_code == 415
    assert requests.get(f"{verb.url}/-/act", headers=headers, timeout=30).status_code == 405


def test_what_cannot_be_written_down_is_not_run(running):
    verb = running(echo())
    verb.audit_file.unlink(missing_ok=True)
    verb.audit_file.mkdir()
    answer = verb.post(fired())
    assert (answer.status_code, answer.json()["error"]) == (503, "the audit log cannot be written, so nothing is run")
    # Alertmanager asks again: by then it can be.
    verb.audit_file.rmdir()
    [row] = verb.post(fired()).json()["alerts"]
    assert row["result"] == "accepted"


def test_what_waited_and_cannot_be_written_down_any_more_may_be_asked_for_again(running):
    gate = echo(name="gate", alert="Gate", command=["/bin/sh", "-c", "while [ ! -e open ]; do sleep 0.05; done"])
    verb = running({**gate, "directory": str(running.directory)}, echo())
    verb.post(fired("Gate"), fired())
    wait_for(lambda: verb.audit("begun"), what="the first command has begun")
    verb.audit_file.rename(verb.directory / "moved")
    verb.audit_file.mkdir()
    (verb.directory / "open").touch()
    wait_for(lambda: samples(verb).get('refused_total{reason="audit"}'), what="the second is refused")
    verb.audit_file.rmdir()
    # It was counted as run for this alert, and within its cool-down, had it not been given back.
    [row] = verb.post(fired()).json()["alerts"]
    assert row["result"] == "accepted"
    [ended] = verb.ended()
    assert (ended["action"], ended["code"]) == ("note", 0)
    log = verb.log.read_text()
    assert "note is not run: the audit log cannot be written" in log
    assert "gate ended, and nobody has it in writing: the audit log cannot be written" in log


def test_a_link_in_the_place_of_the_audit_log_is_not_followed(running):
    verb = running(echo())
    elsewhere = verb.directory / "elsewhere"
    verb.audit_file.unlink(missing_ok=True)
    verb.audit_file.symlink_to(elsewhere)
    answer = verb.post(fired())
    assert (answer.status_code, answer.json()["error"]) == (503, "the audit log cannot be written, so nothing is run")
    assert not elsewhere.exists()
    assert "it is a symbolic link, which is not followed" in verb.log.read_text()
    assert samples(verb) == {'refused_total{reason="audit"}': 1}


def test_what_a_command_leaves_behind_is_ended_and_stands_in_the_audit_log(running):
    verb = running(echo(command=["/bin/sh", "-c", "sleep 600 & echo begun"]))
    verb.post(fired())
    [ended] = verb.ended()
    assert (ended["code"], ended["output"], ended["problem"]) == (0, "begun\n", "")
    [left] = ended["left"]
    assert re.fullmatch(r"(sleep|sh) \(\d+\)", left)
    assert f"note left processes behind, which were ended: {left}" in verb.log.read_text()


def test_a_program_that_others_may_write_since_the_start_is_not_run(running):
    program = running.directory / "restart"
    program.write_text("#!/bin/sh\necho restarted\n")
    program.chmod(0o755)
    verb = running(echo(command=[str(program)], cool_down="1ms", repeat=True))
    verb.post(fired())
    assert [row["output"] for row in verb.ended()] == ["restarted\n"]
    program.chmod(0o777)
    verb.post(fired())
    second = verb.ended(2)[1]
    assert (second["code"], second["output"]) == (None, "")
    assert second["problem"].startswith(f"it could not be started: {program}: everybody may write to it")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda directory: (directory / "secret").unlink(),
            "error: secret_file: {0}/secret: No such file or directory",
        ),
        (lambda directory: (directory / "secret").write_text("short"), "at least 16 bytes are needed"),
        (lambda directory: (directory / "audit.jsonl").mkdir(), "error: audit_log = '{0}/audit.jsonl': Is a directory"),
        (
            lambda directory: (directory / "audit.jsonl").symlink_to(directory / "elsewhere"),
            "error: audit_log = '{0}/audit.jsonl': it is a symbolic link, which is not followed",
        ),
        (
            lambda directory: os.mkfifo(directory / "audit.jsonl"),
            "error: audit_log = '{0}/audit.jsonl': No such device or address",
        ),
        (
            lambda directory: (directory / "actions.yaml").chmod(0o664),
            "error: {0}/actions.yaml: its group may write to it, and so have commands run: chmod go-w {0}/actions.yaml",
        ),
    ],
)
def test_what_is_missing_is_said_before_anything_is_served(tmp_path, change, said):
    (tmp_path / "secret").write_text(SECRET)
    file = tmp_path / "actions.yaml"
    file.write_text(
        yaml.safe_dump({"port": 0, "secret_file": "secret", "audit_log": "audit.jsonl", "actions": [echo()]})
    )
    file.chmod(0o600)
    change(tmp_path)
    done = subprocess.run([*VERB, "--config", str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said.format(tmp_path) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_file_can_be_checked(tmp_path):
    file = tmp_path / "actions.yaml"
    file.write_text(yaml.safe_dump({"secret_file": "s", "audit_log": "a", "actions": [echo(labels={"job": "shop"})]}))
    file.chmod(0o600)
    done = subprocess.run(
        [*VERB, "--config", str(file), "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == [
        "note: for Down when firing, job=shop: /bin/echo restarting shop",
        "dry run: nothing would be run",
    ]


def test_a_real_alertmanager_has_a_command_run(running, tmp_path):
    verb = running(echo(alert="RuntimeTargetDown"), echo(name="over", alert="RuntimeTargetDown", when="resolved"))
    url = f"http://127.0.0.1:{free_port()}"
    act = {"enabled": True, "url": f"{verb.url}/-/act", "secretFile": str(tmp_path / "secret"), "sendResolved": True}
    act["alerts"] = ["RuntimeTargetDown"]
    nowhere = {"slack": {"enabled": False}, "email": {"enabled": False}, "groupInterval": "1s"}
    config = write(tmp_path / "config", {"alertmanager": {"act": act, **nowhere}})
    program = require("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")
    options = [f"--config.file={config}", f"--storage.path={tmp_path / 'data'}"]
    options += [f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address="]
    with (
        (tmp_path / "am.log").open("wb") as log,
        subprocess.Popen([program, *options], stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(lambda: _posted(url, alert("shop", name="RuntimeTargetDown")), what="Alertmanager takes an alert")
            [first] = verb.ended()
            over = alert("shop", name="RuntimeTargetDown", ends="2026-01-01T10:30:00Z")
            assert _posted(url, alert("shop", name="RuntimeRestarting"), over)
            [_, second] = verb.ended(2)
        finally:
            process.terminate()
            process.wait(timeout=15)
    assert [(row["action"], row["alert"], row["code"]) for row in (first, second)] == [
        ("note", "RuntimeTargetDown", 0),
        ("over", "RuntimeTargetDown", 0),
    ]
    assert verb.audit("refused") == [], "nothing but what is listed is sent"


def _posted(url, *alerts):
    try:
        return requests.post(f"{url}/api/v2/alerts", json=alerts, timeout=30).ok
    except requests.RequestException:
        return False
