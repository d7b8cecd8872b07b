"""`runtime-exporter agent` as a process of its own, with a real Go service, a real Python process and a target that is not there."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import bcrypt
import pytest
import requests

from busy_service import busy_service
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import frames
from shop_go import customers, shop_go
from tools import free_port, require, wait_for

VERB = [sys.executable, "-m", "runtime_exporter", "agent"]


class Running:
    """An agent, its address and its file of targets."""

    def __init__(self, directory, targets, *options):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.file = directory / "targets.yaml"
        self.file.write_text(targets)
        self.log = directory / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*VERB, "--config", str(self.file), "--port", str(self.port), *options], stdout=log, stderr=log
            )
        try:
            wait_for(self._answers, what="the agent answers")
        except BaseException:
            self.kill()
            raise

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            requests.get(f"{self.url}/-/healthy", timeout=5)
        except requests.RequestException:
            return False
        return True

    def kill(self):
        self.process.kill()
        self.process.wait()

    def get(self, path, **options):
        return requests.get(f"{self.url}{path}", timeout=30, **options)

    def series(self, path="/metrics"):
        """Return the samples of a page: name with labels -> value."""
        answer = self.get(path)
        lines = answer.text.splitlines() if answer.ok else []
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}

    def up(self, name):
        return self.series().get(f'agent_target_up{{target="{name}"}}')

    def lines(self, text):
        return [line for line in self.log.read_text().splitlines() if text in line]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def agent(tmp_path):
    """Start agents; each is ended by its own handle."""
    running = []

    def start(targets, *options):
        running.append(Running(tmp_path, targets, *options))
        return running[-1]

    yield start
    for one in running:
        one.kill()


@pytest.fixture(scope="module")
def shop():
    with shop_go() as url, customers(url, "GET", "/search?q=lamp"):
        yield url


@pytest.fixture(scope="module")
def service():
    with busy_service(profile_endpoints=False) as running:
        yield running


@pytest.fixture(scope="module")
def watching(shop, service, tmp_path_factory):
    """An agent of a Go service, a Python process, and of somebody who is not there."""
    directory = tmp_path_factory.mktemp("agent")
    targets = f"""
interval: 2s
seconds: 1s
targets:
  - name: shop-go
    url: {shop}
    job: shop
    version: "1.2"
    labels: {{team: checkout}}
  - name: worker
    pid: {service.pid}
  - name: nobody
    url: http://127.0.0.1:9
"""
    one = Running(directory, targets, "--profile-directory", str(directory / "profiles"))
    try:
        wait_for(lambda: one.up("shop-go") and one.up("worker") and one.up("nobody") == 0.0, what="all were looked at")
        yield one
    finally:
        one.kill()


def test_each_target_has_series_of_its_own(watching):
    go = watching.series("/targets/shop-go/metrics")
    # A function has a series once it has been among the largest more than once.
    burns = 'profile_self_seconds_total{profile="cpu",function="__main__:burns_cpu_here"}'
    python = wait_for(
        lambda: found if (found := watching.series("/targets/worker/metrics")).get(burns) else None,
        what="the busy function is a member",
    )

    assert 0 < go['profile_total_seconds_total{profile="cpu"}']
    assert go['runtime_exporter_profiler_backend_info{backend="go",bias="none"}'] == 1.0
    # What the kernel knows of the process, and nothing of the agent.
    assert 0 < python["process_cpu_seconds_total"]
    assert 0 < python["process_resident_memory_anon_bytes"]
    assert [] == [name for name in go if name.startswith(("process_", "python_"))]


def test_a_bad_target_costs_only_itself_and_is_told_once(watching):
    assert 503 == watching.get("/targets/nobody/metrics").status_code
    assert "Connection refused" in watching.get("/targets/nobody/metrics").text
    wait_for(
        lambda: watching.series()['agent_target_takes_total{target="nobody",result="failed"}'] >= 2, what="a second try"
    )

    assert 1 == len(watching.lines("target nobody is not profiled"))
    assert (1.0, 1.0) == (watching.up("shop-go"), watching.up("worker"))
    health = watching.get("/health?verbose").json()
    assert ("degraded", "1 of 3 targets are down: nobody") == (health["status"], health["checks"]["targets"]["reason"])


def test_the_page_of_metrics_has_every_family_of_the_agent(watching):
    page = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
    names = {name.partition("{")[0] for name in watching.series() if name.startswith("agent_")}
    assert 6 < len(names)
    assert [] == [name for name in names if f"| `{name}` |" not in page]


def test_prometheus_finds_the_targets_with_their_own_job_and_instance(watching, shop, tmp_path):
    program = require("prometheus", package="prometheus")
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        f"  - job_name: profiles\n    http_sd_configs: [{{url: '{watching.url}/api/v1/targets', refresh_interval: 1s}}]\n"
    )
    prometheus = subprocess.Popen(
        [
            *(
                program,
                "--config.file",
                str(tmp_path / "prometheus.yml"),
                "--storage.tsdb.path",
                str(tmp_path / "data"),
            ),
            *("--web.listen-address", f"127.0.0.1:{port}", "--log.level", "error"),
        ]
    )

    def ask(query):
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query}, timeout=10).json()
        except (requests.RequestException, ValueError):  # it is about to start, and says so in plain text
            return []
        return answer.get("data", {}).get("result", [])

    try:
        up = wait_for(lambda: found if len(found := ask("up")) == 3 else None, what="three targets are scraped")
        values = {(one["metric"]["job"], one["metric"]["instance"]): one["value"][1] for one in up}
        assert {
            ("shop", shop.partition("//")[2]): "1",
            ("worker", "worker"): "1",
            ("nobody", "127.0.0.1:9"): "0",
        } == values
        (series,) = wait_for(
            lambda: ask('profile_total_seconds_total{job="shop",profile="cpu"}'), what="a profile's series"
        )
        assert ("checkout", f"127.0.0.1:{watching.port}/targets/shop-go") == (
            series["metric"]["team"],
            series["metric"]["agent"],
        )
    finally:
        prometheus.kill()
        prometheus.wait()


@pytest.mark.parametrize(("name", "path"), [("shop-go", "profile"), ("shop-go", "heap"), ("worker", "profile")])
def test_the_last_profiles_of_a_target_are_served_at_once(watching, name, path):
    answer = watching.get(f"/targets/{name}/debug/pprof/{path}")
    assert 200 == answer.status_code, answer.text
    assert pprof.decode(answer.content).sample_types
    assert f'href="/targets/{name}/debug/pprof/{path}"' in watching.get(f"/targets/{name}/debug/pprof/").text


def test_a_new_profile_is_taken_where_seconds_are_given(watching):
    answer = watching.get("/targets/worker/debug/pprof/profile?seconds=1")
    assert 200 == answer.status_code, answer.text
    names = {frame.name for sample in pprof.decode(answer.content).samples for frame in frames(sample)}
    assert "__main__:burns_cpu_here" in names


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/targets/worker/debug/pprof/heap", 404, "No profile heap of worker: the last interval has none"),
        ("/targets/nobody/debug/pprof/profile", 404, "No profile profile of nobody: http://127.0.0.1:9/debug/pprof/: Connection"),
        ("/targets/worker/debug/pprof/profile?seconds=999", 400, 'invalid value for "seconds" - a number up to 120 is needed'),
        ("/targets/worker/debug/pprof/heap?seconds=1", 500, "Could not take the profile heap: from outside of a process a cpu or wall profile"),
        ("/targets/stranger/metrics", 404, "404 Not Found"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_said_in_a_line(watching, path, status, said):
    answer = watching.get(path)
    assert (status, True) == (answer.status_code, answer.text.startswith(said)), answer.text


def test_a_target_has_the_pages_that_a_process_has(watching):
    wait_for(lambda: watching.get("/targets/shop-go/api/v1/profiles").json()["profiles"], what="profiles are kept")
    kept = watching.get("/targets/shop-go/api/v1/profiles?kind=cpu").json()["profiles"][0]
    assert {"version": "1.2"} == kept["labels"]
    assert kept["url"].startswith("/targets/shop-go/api/v1/profiles/cpu_")
    assert 200 == watching.get(kept["url"]).status_code
    summary = watching.get("/targets/shop-go/api/v1/summary").json()
    assert "cpu" in json.dumps(summary)
    assert 200 == watching.get("/targets/worker/api/v1/recommendations").status_code
    assert "shop-go" in watching.get("/targets").text
    page = watching.get("/targets/shop-go/")
    assert 'href="/targets/shop-go/metrics"' in page.text
    for path in ("/targets/shop-go/profiles", "/targets/shop-go/profiles/alert/RuntimeCpuSpike"):
        assert 200 == watching.get(path).status_code


def test_an_alert_about_a_target_takes_a_profile_of_it(watching):
    labels = {"alertname": "RuntimeCpuSpike", "job": "worker", "instance": "worker", "severity": "warning"}
    sent = {
        "version": "4",
        "status": "firing",
        "alerts": [
            {"status": "firing", "labels": labels, "fingerprint": "abc"},
            {"status": "firing", "labels": {**labels, "instance": "elsewhere:80"}, "fingerprint": "def"},
        ],
    }

    ours, theirs = requests.post(f"{watching.url}/-/alert", json=sent, timeout=30).json()["alerts"]

    assert ("accepted", "cpu", "/targets/worker/profiles/alert/RuntimeCpuSpike") == (
        *(ours["result"], ours["profile"]),
        ours["url"],
    )
    assert ("skipped", True) == (theirs["result"], "elsewhere:80" in theirs["reason"])
    assert 400 == requests.post(f"{watching.url}/-/alert", json={"alerts": 7}, timeout=30).status_code


def test_the_file_is_read_again_on_sighup_and_a_wrong_one_changes_nothing(agent, service):
    targets = (
        f"interval: 1s\ntargets:\n  - {{name: a, pid: {service.pid}}}\n  - {{name: b, url: 'http://127.0.0.1:9'}}\n"
    )
    one = agent(targets)
    wait_for(lambda: one.up("a") and one.up("b") == 0.0, what="both were looked at")
    taken = 'agent_target_takes_total{target="a",result="ok"}'
    before = one.series()[taken]

    one.file.write_text(targets.replace("name: b", "name: c"))
    one.process.send_signal(signal.SIGHUP)
    wait_for(lambda: one.up("c") == 0.0, what="the new target was looked at")
    assert (None, True) == (one.up("b"), one.series()[taken] >= before)
    assert 1 == len(one.lines("targets reloaded: added c; removed b"))
    assert 404 == one.get("/targets/b/metrics").status_code

    one.file.write_text(targets.replace("pid", "pids"))
    one.process.send_signal(signal.SIGHUP)
    wait_for(lambda: one.series()["agent_config_last_reload_successful"] == 0.0, what="the mistake was seen")
    assert 0.0 == one.up("c")
    assert 1 == len(one.lines(f"{one.file}:3: unknown key 'pids'; did you mean 'pid'?"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_at_once_with_what_it_started(agent, service, number, code):
    one = agent(f"interval: 600s\ntargets:\n  - {{name: a, pid: {service.pid}, kinds: [cpu, wall]}}\n")
    wait_for(lambda: _children(one.process.pid), what="the helpers run")
    children = _children(one.process.pid)

    assert code == one.end(number)  # within a minute

    assert [] == [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert [] == one.lines("Traceback")


def _children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found += (task / "children").read_text().split()
    return found


def test_users_are_asked_for_as_with_the_exporter(agent, tmp_path):
    hashed = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yaml"
    web.write_text(f"basic_auth_users:\n  ann: {hashed}\n")
    one = agent("targets: [{name: a, pid: 1}]\n", "--web-config-file", str(web))

    for path in ("/metrics", "/targets", "/targets/a/metrics", "/api/v1/targets", "/targets/a/debug/pprof/"):
        assert 401 == one.get(path).status_code
    assert 200 == one.get("/api/v1/targets", auth=("ann", "correct horse")).status_code


def run(*arguments):
    return subprocess.run([*VERB, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_a_file_can_be_checked_without_starting_anything(tmp_path):
    file = tmp_path / "targets.yaml"
    file.write_text("targets:\n  - {name: a, pid: 1}\n")
    ended = run("--config", str(file), "--check")
    assert (0, f"{file}: 1 target\n", "") == (ended.returncode, ended.stdout, ended.stderr)

    file.write_text("targets:\n  - {name: a, pids: 1}\n")
    ended = run("--config", str(file))
    assert (2, f"error: {file}:2: unknown key 'pids'; did you mean 'pid'?\n") == (ended.returncode, ended.stderr)


def test_a_port_in_use_is_told_in_a_line(watching, tmp_path):
    file = tmp_path / "targets.yaml"
    file.write_text("targets:\n  - {name: a, pid: 1}\n")
    ended = run("--config", str(file), "--port", str(watching.port))
    assert (2, 1) == (ended.returncode, len(ended.stderr.splitlines()))
    assert f"{watching.port}" in ended.stderr
