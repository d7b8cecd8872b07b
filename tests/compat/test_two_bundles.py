"""Two teams, each with rules generated for its own job and with its own threshold, in one real Prometheus."""

from __future__ import annotations

import contextlib
import time

import pytest
import requests
import yaml

from compat.programs import running
from runtime_exporter.mixin.generate import generate
from stub_service import exposing
from tools import free_port, require, wait_for

# Both services stand still for 0.4 of the time; for one team that is too much.
SHARE = 0.4
THRESHOLDS = {"shop": 0.2, "search": 0.6}
SHORT = {"scrapeInterval": "1s", "scrapeTimeout": "1s", "evaluationInterval": "1s", "rateInterval": "4s"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextlib.contextmanager
def service():
    """Serve a process that collects garbage for a share of the time and answers requests; yield the address."""
    begin = time.monotonic()

    def exposition():
        passed = time.monotonic() - begin
        labels = 'http_request_method="GET",http_route="/",http_response_status_code="200"'
        body = f'python_gc_duration_seconds_sum{{generation="2"}} {SHARE * passed}\n'
        body += f"http_server_request_duration_seconds_count{{{labels}}} {50 * passed}\n"
        return body

    with exposing(exposition) as address:
        yield address


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """The URL of a Prometheus with the rules of both teams, and the file that it logs to."""
    home = tmp_path_factory.mktemp("two")
    for job, ratio in THRESHOLDS.items():
        pressure = {"ratio": ratio, "for": "0s"}
        files = generate({**SHORT, "selector": f'job="{job}"', "alerts": {"gcPressure": pressure}})
        for name, text in files.items():
            if name.startswith("rules/"):
                path = home / job / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    with contextlib.ExitStack() as parts:
        scrapes = [
            {"job_name": job, "static_configs": [{"targets": [parts.enter_context(service())]}]} for job in THRESHOLDS
        ]
        document = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in home.glob("*/rules/*.yaml")],
            "scrape_configs": scrapes,
        }
        (home / "prometheus.yml").write_text(yaml.safe_dump(document))
        url = f"http://127.0.0.1:{free_port()}"
        command = [
            require("prometheus", package="prometheus"), f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}", f"--web.listen-address={url.removeprefix('http://')}", "--log.level=info",
        ]  # fmt: skip
        parts.enter_context(running(command, f"{url}/-/ready", home / "prometheus.log"))
        yield url, home / "prometheus.log"


def asked(url, expression):
    """Return the series of the answer."""
    answer = requests.get(f"{url}/api/v1/query", params={"query": expression}, timeout=10).json()
    return answer["data"]["result"]


def labels(url, expression):
    return [series["metric"] for series in asked(url, expression)]


def test_each_team_is_told_by_its_own_threshold(prometheus):
    url, _ = prometheus
    measured = "sum by (job) (instance:python_gc_duration_seconds:rate4s) > 0.3"
    wait_for(lambda: len(labels(url, measured)) == len(THRESHOLDS), what="the share of both services")
    firing = 'count by (job) (ALERTS{alertname="RuntimeGcPressure",alertstate="firing"})'
    assert wait_for(lambda: labels(url, firing), what="the alert") == [{"job": "shop"}]


def test_each_series_is_recorded_once_an_evaluation(prometheus):
    """Two rules that record one series would write it twice as often, and every sum of its rates would be doubled."""
    url, _ = prometheus
    recorded = '{__name__=~".+:.+"}[15s]'
    since = '{__name__="slo:bad_events_per_events:ratio_rate1h",slo="availability"} offset 15s'
    wait_for(lambda: len(labels(url, since)) == len(THRESHOLDS), what="what is recorded last, of both, 15 s ago")
    series = asked(url, recorded)
    assert {each["metric"]["job"] for each in series} == set(THRESHOLDS)
    assert max(len(each["values"]) for each in series) > 8  # a busy machine may leave some out
    assert [each["metric"] for each in series if len(each["values"]) > 16] == []


def test_prometheus_has_nothing_to_say_of_duplicates(prometheus):
    url, log = prometheus
    groups = requests.get(f"{url}/api/v1/rules", timeout=10).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 100
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] == "err"] == []
    said = log.read_text()
    assert [line for line in said.splitlines() if "different value" in line or "out-of-order" in line] == []
