"""Prometheus and Alertmanager as they really are: the dashboard about them has data in every panel, and its alerts fire when they should."""

from __future__ import annotations

import contextlib
import json
import subprocess

import pytest
import requests

import rule_files
from runtime_exporter.mixin import config, contract, generate
from runtime_exporter.mixin.dashboards import GRAFANA_VARIABLES, queries
from shop_process import answers
from source_fleet import DEMO
from tools import free_port, require, wait_for

VALUES = {**GRAFANA_VARIABLES, "__rate_interval": "10s", "__interval": "1s"}
SHORT = {
    "selector": 'job="shop"',
    "alerts": {
        "prometheusRulesFailing": {"for": "1s", "window": "10s"},
        "prometheusNotificationsLost": {"window": "10s", "receiver": {"for": "1s"}},
        "prometheusReloadFailed": {"for": "1s", "window": "3s"},
    },
}
# One rule fails at each evaluation: both sides of `up` have several series and nothing tells which belong together.
FAILING = {"groups": [{"name": "fails", "rules": [{"record": "x", "expr": 'up / on () {job!=""}'}]}]}


class Servers:
    """Prometheus, which scrapes itself and Alertmanager and writes to itself, and Alertmanager, whose receiver does not answer."""

    def __init__(self, home):
        self.home = home
        self.prometheus, self.alertmanager = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.files = generate.generate(config.compose(rule_files.load(DEMO), SHORT))
        (home / "rules").mkdir()
        for name, text in self.files.items():
            if name.startswith("rules/"):
                (home / name).write_text(text)
        (home / "rules" / "fails.yaml").write_text(json.dumps(FAILING))
        self.configure()
        receiver = {"name": "nobody", "webhook_configs": [{"url": f"http://127.0.0.1:{free_port()}/"}]}
        route = {
            "receiver": "nobody",
            "group_by": ["..."],
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "1s",
        }
        (home / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))

    def configure(self, **more):
        def job(name, *addresses):
            return {"job_name": name, "static_configs": [{"targets": [*addresses]}]}

        document = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.home / "rules" / "*.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.alertmanager]}]}]},
            "scrape_configs": [job("prometheus", self.prometheus), job("alertmanager", self.alertmanager)],
            "remote_write": [{"url": f"http://{self.prometheus}/api/v1/write", "name": "itself"}],
        }
        (self.home / "prometheus.yml").write_text(json.dumps({**document, **more}))

    @contextlib.contextmanager
    def running(self):
        prometheus = require("prometheus", package="prometheus")
        alertmanager = require("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")
        commands = [
            [alertmanager, f"--config.file={self.home / 'alertmanager.yml'}", f"--storage.path={self.home / 'am'}",
             f"--web.listen-address={self.alertmanager}", "--cluster.listen-address="],
            [prometheus, f"--config.file={self.home / 'prometheus.yml'}", f"--storage.tsdb.path={self.home / 'data'}",
             f"--web.listen-address={self.prometheus}", "--web.enable-remote-write-receiver", "--web.enable-lifecycle"],
        ]  # fmt: skip
        processes = []
        with (self.home / "log").open("wb") as log:
            try:
                for command in commands:
                    processes.append(subprocess.Popen(command, stdout=log, stderr=log))
                for address in (self.prometheus, self.alertmanager):
                    wait_for(lambda address=address: answers(f"http://{address}/-/ready"), what=address)
                yield self
            finally:
                for process in processes:
                    process.terminate()
                for process in processes:
                    process.wait(timeout=70)

    def ask(self, expression):
        answer = requests.get(f"http://{self.prometheus}/api/v1/query", params={"query": expression}, timeout=10).json()
        assert "success" == answer["status"], (expression, answer)
        return answer["data"]["result"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with Servers(tmp_path_factory.mktemp("servers")).running() as running:
        yield running


def soon(condition, what):
    return wait_for(condition, seconds=90, what=what, pause=0.5)


def firing(servers, name, **labels):
    chosen = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return servers.ask(f'ALERTS{{alertname="{name}",alertstate="firing",{chosen}}}')


def test_every_panel_about_the_servers_has_data(servers):
    board = json.loads(servers.files["dashboards/prometheus.json"])

    def silent():
        return [(title, expression) for title, expression in queries(board, VALUES) if not servers.ask(expression)]

    try:
        soon(lambda: not silent(), "data in every panel")
    except pytest.fail.Exception:
        assert [] == silent()


def test_the_servers_expose_every_name_that_rules_and_dashboards_read(servers):
    missing = {name for name in contract.OF_SERVERS if not servers.ask(name)}
    assert set() == missing


def test_a_rule_that_fails_and_a_receiver_that_does_not_answer_are_told(servers):
    soon(lambda: firing(servers, "RuntimePrometheusRulesFailing"), "the alert about rules")
    [alert] = firing(servers, "RuntimePrometheusRulesFailing")
    assert alert["metric"]["rule_group"].endswith("fails.yaml;fails")
    soon(
        lambda: firing(servers, "RuntimePrometheusNotificationsLost", integration="webhook"), "the alert about messages"
    )
    assert [] == firing(servers, "RuntimePrometheusReloadFailed")


def test_a_configuration_that_is_not_in_force_is_told_until_it_is_put_right(servers):
    servers.configure(rule_files=["["])
    assert 200 != requests.post(f"http://{servers.prometheus}/-/reload", timeout=10).status_code
    soon(
        lambda: firing(servers, "RuntimePrometheusReloadFailed", job="prometheus"), "the alert about the configuration"
    )
    servers.configure()
    assert 200 == requests.post(f"http://{servers.prometheus}/-/reload", timeout=10).status_code
    soon(lambda: not firing(servers, "RuntimePrometheusReloadFailed"), "its end")
