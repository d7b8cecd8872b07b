"""One service, watched twice: by a newer Prometheus with a newer Alertmanager, and by an agent that writes to VictoriaMetrics under vmalert."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
import requests
import yaml

from compat import rules
from compat.decisions import victoria, written
from compat.programs import newer, running
from runtime_exporter.demo import files
from runtime_exporter.demo.sinks import HTTPSink
from runtime_exporter.demo.stack import Stack, Tools
from runtime_exporter.mixin import outputs
from tools import free_port, require, wait_for

ALERT = "RuntimeHttpErrorBudgetBurn"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@dataclass(frozen=True)
class Watched:
    """The demo's stack with the newer programs, VictoriaMetrics, vmalert, and where vmalert's Alertmanager posts to."""

    stack: Stack
    victoria: str
    vmalert: str
    webhook: HTTPSink


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Everything runs, and requests have begun to fail."""
    home = tmp_path_factory.mktemp("live")
    tools = Tools(newer("prometheus"), newer("prometheus-alertmanager"))
    with contextlib.ExitStack() as parts:
        stack = parts.enter_context(Stack(tools, rate=20).running())
        webhook = parts.enter_context(HTTPSink())
        store = parts.enter_context(victoria(home))
        parts.enter_context(agent(home, stack, store))
        notifier = parts.enter_context(alertmanager(home, webhook))
        evaluator = parts.enter_context(vmalert(home, stack, store, notifier))
        stack.wait_until_ready(lambda _: None)
        wait_for(lambda: written(store) > 0, what="the first samples in VictoriaMetrics")
        stack.switch("errors", on=True)
        yield Watched(stack, store, evaluator, webhook)


def agent(home, stack, store):
    """This machine's own Prometheus as an agent, which scrapes and sends on."""
    (home / "agent.yml").write_text(
        yaml.safe_dump({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{
                "job_name": "shop", "static_configs": [{"targets": [stack.url("exporter").removeprefix("http://")]}],
            }],
            "remote_write": [{"url": f"{store}/api/v1/write", "queue_config": {"batch_send_deadline": "200ms"}}],
        })
    )  # fmt: skip
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        require("prometheus", package="prometheus"), "--enable-feature=agent", f"--config.file={home / 'agent.yml'}",
        f"--storage.agent.path={home / 'agent'}", f"--web.listen-address={url.removeprefix('http://')}", "--log.level=warn",
    ]  # fmt: skip
    return running(command, f"{url}/-/ready", home / "agent.log")


@contextlib.contextmanager
def alertmanager(home, webhook):
    receiver = {"name": "webhook", "webhook_configs": [{"url": webhook.url}]}
    route = {"receiver": "webhook", "group_by": ["alertname", "job"], "group_wait": "0s", "group_interval": "1s"}
    (home / "alertmanager.yml").write_text(yaml.safe_dump({"route": route, "receivers": [receiver]}))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        newer("prometheus-alertmanager"), f"--config.file={home / 'alertmanager.yml'}", f"--storage.path={home / 'alertmanager'}",
        f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address=", "--log.level=warn",
    ]  # fmt: skip
    with running(command, f"{url}/-/ready", home / "alertmanager.log"):
        yield url


@contextlib.contextmanager
def vmalert(home, stack, store, notifier):
    """Evaluate the demo's rules, in vmalert's form, every second."""
    shaped = outputs.shape(rules.files(files.overrides(stack.ports, home / "no-slack"), "vmalert"), "vmalert")
    for name, text in shaped.items():
        (home / name.removeprefix("rules/")).write_text(text)
    url = f"http://127.0.0.1:{free_port()}"
    # By default it asks for what was thirty seconds ago, by when samples have come everywhere; here they come within one.
    command = [
        newer("vmalert"), *(f"-rule={home / name.removeprefix('rules/')}" for name in shaped), f"-datasource.url={store}",
        f"-remoteWrite.url={store}", f"-notifier.url={notifier}", f"-httpListenAddr={url.removeprefix('http://')}",
        "-evaluationInterval=1s", "-rule.evalDelay=0s", "-remoteWrite.flushInterval=200ms", "-loggerLevel=WARN",
    ]  # fmt: skip
    with running(command, f"{url}/health", home / "vmalert.log"):
        yield url


def alerts_of(url):
    """Return the labels, without those that vmalert puts to them, and the annotations of what fires, by the API that both have."""
    found = requests.get(f"{url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
    return [
        ({name: value for name, value in each["labels"].items() if name != "alertgroup"}, each["annotations"])
        for each in found
        if each["state"] == "firing" and each["labels"]["alertname"] == ALERT
    ]


def test_the_newer_prometheus_and_alertmanager_tell_of_failing_requests(watched):
    def told():
        return watched.stack.observe().message("slack", ALERT, resolved=False, since=0)

    assert ALERT in str(wait_for(told, seconds=120, what="the message of the newer Alertmanager"))


def test_every_rule_of_the_newer_prometheus_is_well(watched):
    groups = requests.get(watched.stack.url("prometheus") + "/api/v1/rules", timeout=10).json()["data"]["groups"]
    every = [rule for group in groups for rule in group["rules"]]
    assert len(every) > 40
    assert [(rule["name"], rule["lastError"]) for rule in every if rule["health"] == "err"] == []


def test_vmalert_tells_of_them_to_a_webhook(watched):
    def told():
        posts = [alert for post in watched.webhook.posts for alert in post.json["alerts"]]
        return [alert for alert in posts if alert["labels"]["alertname"] == ALERT]

    alert = wait_for(told, seconds=120, what="vmalert's alert at the webhook")[0]
    assert (alert["status"], alert["labels"]["job"], alert["labels"]["severity"]) == ("firing", "shop", "critical")
    assert "shop" in alert["annotations"]["description"]


def test_every_rule_of_vmalert_is_well(watched):
    groups = requests.get(f"{watched.vmalert}/api/v1/rules", timeout=10).json()["data"]["groups"]
    every = [rule for group in groups for rule in group["rules"]]
    assert len(every) > 40
    assert [(rule["name"], rule["lastError"]) for rule in every if rule.get("lastError")] == []


def test_both_say_it_of_the_same(watched):
    both = [watched.stack.url("prometheus"), watched.vmalert]
    found = wait_for(lambda: all(map(alerts_of, both)) and [alerts_of(url) for url in both], what="both to fire")
    labels = [[labels for labels, _ in each] for each in found]
    assert labels[0] == labels[1]
    annotations = [{name for _, all_ in each for name in all_} for each in found]
    assert annotations[0] == annotations[1] > {"summary", "description", "runbook_url"}
