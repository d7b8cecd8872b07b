"""deploy/scale as it stands, on loopback: two shards and what is above them, and an agent, with six services of one job."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests
import yaml

from compat import rules
from compat.programs import ROOT, running
from runtime_exporter.mixin import outputs
from stub_service import exposing
from tools import free_port, require, wait_for

if TYPE_CHECKING:
    from pathlib import Path

SHARDS = 2
SERVICES = 6
REQUESTS_A_SECOND = 8.0
# Rates over seconds, so that there are some soon; the names say so then, rate4s, and are otherwise the generated ones.
SHORT = {
    "scrapeInterval": "1s",
    "scrapeTimeout": "1s",
    "evaluationInterval": "1s",
    "rateInterval": "4s",
    "selector": 'job="services"',
}
RATE = "job:http_server_requests:rate4s"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@dataclass(frozen=True)
class Fleet:
    """The addresses of the services, and the URLs of each shard, of what is above them, and of the agent."""

    addresses: list[str]
    shards: list[str]
    above: str
    agent: str


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    home = tmp_path_factory.mktemp("scale")
    with contextlib.ExitStack() as parts:
        addresses = [parts.enter_context(service()) for _ in range(SERVICES)]
        # A hash may give all to one shard, however seldom: then some more are there.
        while len(set(map(shard_of, addresses))) < SHARDS:
            addresses.append(parts.enter_context(service()))
        written = write_rules(home)
        (home / "targets").mkdir()
        (home / "targets" / "all.yaml").write_text(yaml.safe_dump([{"targets": addresses}]))
        # What sends ends before what it sends to: an agent tries for a minute to be rid of what it has.
        above = parts.enter_context(
            prometheus(home / "above", {"rule_files": written["global"]}, "--web.enable-remote-write-receiver")
        )
        shards = [
            parts.enter_context(prometheus(home / f"shard-{number}", sharded(home, number, written["leaf"], above)))
            for number in range(SHARDS)
        ]
        agent = parts.enter_context(
            prometheus(home / "agent", adapted("agent.yml", home, [], above), "--enable-feature=agent", store="agent")
        )
        yield Fleet(addresses, shards, above, agent)


@contextlib.contextmanager
def service():
    """Serve a counter that grows evenly; yield the address."""
    begin = time.monotonic()

    def exposition():
        count = REQUESTS_A_SECOND * (time.monotonic() - begin)
        labels = 'http_request_method="GET",http_route="/orders",http_response_status_code="200"'
        name = "http_server_request_duration_seconds"
        body = f"# TYPE {name} histogram\n"
        body += "".join(f'{name}_bucket{{{labels},le="{bound}"}} {count}\n' for bound in ("0.1", "1.0", "+Inf"))
        body += f"{name}_count{{{labels}}} {count}\n{name}_sum{{{labels}}} {count / 20}\n"
        return body

    with exposing(exposition) as address:
        yield address


def shard_of(address):
    """Return what Prometheus' relabelling makes of an address: the last 8 bytes of its MD5 as a number, modulo the number of shards."""
    return int.from_bytes(hashlib.md5(address.encode(), usedforsecurity=False).digest()[8:], "big") % SHARDS


def write_rules(home):
    """Return the paths of the leaf and of the global rules, generated for short windows."""
    generated = rules.files(SHORT)
    files = {}
    for rule_set in ("leaf", "global"):
        shaped = outputs.shape(generated, "prometheus", rule_set)
        files[rule_set] = []
        for name in (name for name in shaped if name.startswith("rules/")):
            path = home / rule_set / name.removeprefix("rules/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(shaped[name])
            files[rule_set].append(str(path))
    return files


def adapted(name, home, rule_files, above, replaced=lambda text: text):
    """Return a file of deploy/scale with the paths, the addresses and the pace of this machine; everything else is as it stands there."""
    document = yaml.safe_load(replaced((ROOT / "deploy" / "scale" / name).read_text()))
    document["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    if "rule_files" in document:
        document["global"]["evaluation_interval"] = "1s"
        document["rule_files"] = rule_files
    [scrape] = document["scrape_configs"]
    scrape["file_sd_configs"] = [{"files": [str(home / "targets" / "*.yaml")]}]
    [write] = document["remote_write"]
    assert write["url"].endswith("/api/v1/write")
    write["url"] = f"{above}/api/v1/write"
    return document


def sharded(home, number, rule_files, above):
    # As the file's own comment says: sed "s/SHARD/0/; s/OF/2/", once a line.
    def replaced(text):
        lines = text.splitlines()
        return "\n".join(
            re.sub("OF", str(SHARDS), re.sub("SHARD", str(number), line, count=1), count=1) for line in lines
        )

    return adapted("sharded.yml", home, rule_files, above, replaced)


@contextlib.contextmanager
def prometheus(home: Path, document, *options, store="tsdb"):
    home.mkdir()
    document = {"global": {"evaluation_interval": "1s"}, **document}
    (home / "prometheus.yml").write_text(yaml.safe_dump(document))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        require("prometheus", package="prometheus"), f"--config.file={home / 'prometheus.yml'}", f"--storage.{store}.path={home / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}", "--log.level=warn", *options,
    ]  # fmt: skip
    with running(command, f"{url}/-/ready", home / "log"):
        yield url


def targets(url):
    """Return the addresses that a Prometheus scrapes, and its labels of each."""
    found = requests.get(f"{url}/api/v1/targets", params={"state": "active"}, timeout=10).json()["data"][
        "activeTargets"
    ]
    return {target["labels"]["instance"]: target["health"] for target in found}


def ask(url, expression):
    answer = requests.get(f"{url}/api/v1/query", params={"query": expression}, timeout=10).json()
    assert answer["status"] == "success", answer
    return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in answer["data"]["result"]}


def labels_of(url, expression, label):
    return {dict(key).get(label) for key in ask(url, expression)}


def test_each_address_is_scraped_by_one_shard_and_by_that_of_its_hash(fleet):
    wait_for(lambda: all("up" in targets(url).values() for url in fleet.shards), what="the first scrape of each shard")
    expected = [{address for address in fleet.addresses if shard_of(address) == number} for number in range(SHARDS)]
    assert [set(targets(url)) for url in fleet.shards] == expected
    assert all(expected)


def test_what_shards_record_by_job_comes_up_and_what_they_scrape_does_not(fleet):
    wait_for(lambda: labels_of(fleet.above, RATE, "shard") == {"0", "1"}, seconds=60, what="the rates of both shards")
    assert labels_of(fleet.above, 'instance:http_server_requests:rate4s{shard!=""}', "shard") == set()
    assert labels_of(fleet.above, 'http_server_request_duration_seconds_count{shard!=""}', "shard") == set()


def test_an_objective_above_is_of_all_shards_together(fleet):
    expected = REQUESTS_A_SECOND * len(fleet.addresses)

    def events():
        rates = ask(fleet.above, 'slo:events:rate4s{slo="availability", job="services"}')
        return len(rates) == 1 and abs(sum(rates.values()) - expected) < 0.1 * expected

    wait_for(events, seconds=60, what=f"an objective of {expected:g} requests a second")


def test_a_ratio_by_job_above_is_of_each_shard(fleet):
    def ratios():
        return labels_of(fleet.above, "job:http_server_errors_per_requests:ratio_rate5m", "shard")

    wait_for(lambda: ratios() == {"0", "1"}, seconds=60, what="a ratio of each shard")


def test_above_the_global_rules_are_well(fleet):
    groups = requests.get(f"{fleet.above}/api/v1/rules", timeout=10).json()["data"]["groups"]
    every = [rule for group in groups for rule in group["rules"]]
    assert len(every) > 20
    assert [(rule["name"], rule["lastError"]) for rule in every if rule["health"] == "err"] == []


def test_every_shard_evaluates_the_leaf_rules_and_has_a_watchdog(fleet):
    for url in fleet.shards:
        wait_for(lambda url=url: ask(url, 'ALERTS{alertname="Watchdog", alertstate="firing"}'), what="the Watchdog")
        groups = requests.get(f"{url}/api/v1/rules", timeout=10).json()["data"]["groups"]
        assert [rule for group in groups for rule in group["rules"] if rule["health"] == "err"] == []


def test_an_agent_sends_every_target_with_the_name_of_its_cluster(fleet):
    def sent():
        return labels_of(fleet.above, 'up{cluster="eu-1"} == 1', "instance")

    wait_for(lambda: sent() == set(fleet.addresses), seconds=60, what="all targets of the agent")
    assert labels_of(fleet.above, 'http_server_request_duration_seconds_count{cluster="eu-1"}', "instance") == set(
        fleet.addresses
    )


def test_an_agent_has_nothing_to_ask(fleet):
    answer = requests.get(f"{fleet.agent}/api/v1/query", params={"query": "up"}, timeout=10)
    assert answer.status_code != 200
    assert "agent" in answer.text.lower()
