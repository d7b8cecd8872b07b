"""docs/api.md against a real service: its paths are served, and the fields of its examples are those of the answers."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
import requests

from busy_service import busy_service
from runtime_exporter.profiling.advice import Recommendation
from tools import wait_for

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    settings = {"profiling": "true", "profile_interval": "2s", "profile_directory": tmp_path_factory.mktemp("profiles")}
    with busy_service(**settings, service_version="1.4.2") as service:
        ready = f"{service.url}/api/v1/summary"
        wait_for(lambda: requests.get(ready, timeout=10).status_code == 200, what="the first interval")
        yield service.url


def section(heading):
    return PAGE.partition(f"## `{heading}`\n")[2].partition("\n## ")[0]


def example(heading, number=0):
    """Return an example, what is left out (…) taken away."""
    text = re.findall(r"```json\n(.*?)```", section(heading), re.DOTALL)[number]
    bare = re.sub(r",?\s*…,?(?=\s*[\]}])", "", text)
    return json.loads(re.sub(r"(?<=,)\s*…(?=\s)", "", bare))


def test_every_path_of_the_table_is_served(url):
    table = PAGE.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()]
    paths = {path: cells[2].strip() for cells in rows for path in re.findall(r"`(/[^`]*)`", cells[1])}
    statuses = {}
    for path, methods in paths.items():
        asked = path.replace("NAME", "RuntimeCpuSpike").replace("…", "")
        method = methods.partition(",")[0]
        statuses[path] = requests.request(method, f"{url}{asked}", timeout=20).status_code
    assert 12 <= len(statuses)
    assert {415} == {statuses.pop("/-/alert")}  # a POST of nothing
    assert {200} == set(statuses.values())


def test_a_profile_of_the_list_has_the_fields_of_the_example(url):
    listed = requests.get(f"{url}/api/v1/profiles", timeout=10).json()
    assert example("/api/v1/profiles").keys() == listed.keys()
    assert example("/api/v1/profiles")["profiles"][0].keys() == listed["profiles"][0].keys()


def test_a_difference_has_the_fields_of_the_example(url):
    def two():
        found = requests.get(f"{url}/api/v1/profiles", params={"kind": "cpu"}, timeout=10).json()["profiles"]
        return found if len(found) > 1 else None

    before, after = wait_for(two, what="a second interval")[:2]
    names = {"before": before["id"], "after": after["id"]}
    answer = requests.get(f"{url}/api/v1/profiles/diff", params=names, timeout=10).json()
    told = example("/api/v1/profiles", 1)
    assert told.keys() == answer.keys()
    assert told["functions"][0].keys() == answer["functions"][0].keys()


def test_a_summary_has_the_fields_of_the_example(url):
    answer = requests.get(f"{url}/api/v1/summary", params={"kind": "cpu"}, timeout=10).json()
    told = example("/api/v1/summary")
    assert told.keys() == answer.keys()
    for part in ("last_interval", "overhead"):
        assert told[part].keys() == answer[part].keys()
    assert told["profiles"][0].keys() == answer["profiles"][0].keys()
    assert told["profiles"][0]["self"][0].keys() == answer["profiles"][0]["self"][0].keys()


def test_recommendations_have_the_fields_of_the_example(url):
    answer = requests.get(f"{url}/api/v1/recommendations", timeout=10).json()
    told = example("/api/v1/recommendations")
    assert told.keys() <= answer.keys()
    assert {one.name for one in fields(Recommendation)} == told["recommendations"][0].keys()


def test_an_alert_is_answered_with_the_fields_of_the_example(url):
    alert = {"status": "firing", "labels": {"alertname": "RuntimeCpuSpike"}, "fingerprint": "c0ffee0123456789"}
    answer = requests.post(f"{url}/-/alert", json={"version": "4", "alerts": [alert]}, timeout=10).json()
    assert example("/-/alert")["alerts"][0].keys() == answer["alerts"][0].keys()
