"""The examples of scrapers: what each would ask a Python service for is asked as it would, and is a profile.

Paths and intervals are those of Alloy (internal/component/pyroscope/scrape) and Parca (pkg/config): for a profile with
`delta` a scraper adds `seconds`, and CPU time is one of these in both.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests
import yaml

from busy_service import busy_service
from runtime_exporter.profiling import pprof
from tools import wait_for

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "scrape"
ALLOY = (EXAMPLES / "config.alloy").read_text()
PARCA = yaml.safe_load((EXAMPLES / "parca.yaml").read_text())
# Where Alloy looks for a kind unless it is told.
ALLOY_PATHS = {
    "process_cpu": "/debug/pprof/profile",
    "goroutine": "/debug/pprof/goroutine",
    "memory": "/debug/pprof/allocs",
    "block": "/debug/pprof/block",
    "mutex": "/debug/pprof/mutex",
}
WITH_SETTINGS = {"profile_locks": "true", "profile_heap": "true"}


def alloy_profiles():
    """Return of each kind in Alloy's file whether it is on, and its path."""
    found = {}
    for kind, body in re.findall(r"profile\.(\w+) \{(.*?)\}", ALLOY, re.DOTALL):
        options = dict(re.findall(r"(\w+)\s*=\s*(\S+)", body))
        found[kind] = options["enabled"] == "true", options.get("path", ALLOY_PATHS[kind]).strip('"')
    return found


def parca_profiles():
    (job,) = PARCA["scrape_configs"]
    return {kind: (one["enabled"], one["path"]) for kind, one in job["profiling_config"]["pprof_config"].items()}


def seconds(text):
    return int(text.removesuffix("s"))


BOTH = pytest.mark.parametrize("profiles", [alloy_profiles(), parca_profiles()], ids=["alloy", "parca"])


@BOTH
def test_every_kind_that_a_scraper_knows_is_switched_on_or_off(profiles):
    assert ALLOY_PATHS.keys() == profiles.keys()


def scraped(url, kind, path):
    answer = requests.get(f"{url}{path}", params={"seconds": "1"} if kind == "process_cpu" else None, timeout=60)
    assert (kind, 200) == (kind, answer.status_code)
    return pprof.decode(answer.content)


@BOTH
def test_what_is_on_is_served_by_any_service(profiles):
    with busy_service(profile_interval="1s") as service:
        path = f"{service.url}{profiles['block'][1]}"
        wait_for(lambda: requests.get(path, timeout=60).ok, what="the end of the first interval", seconds=60)
        taken = {kind: scraped(service.url, kind, path) for kind, (on, path) in profiles.items() if on}
    waits = taken.pop("block")
    assert ["contentions", "delay"] == [one.type for one in waits.sample_types]  # it works, and waits for nothing
    assert all(profile.samples for profile in taken.values())


@BOTH
def test_what_is_off_is_served_with_the_settings_that_the_file_names(profiles):
    with busy_service(**WITH_SETTINGS) as service:
        off = {kind: path for kind, (on, path) in profiles.items() if not on}
        assert {"memory", "mutex"} == off.keys()
        assert scraped(service.url, "memory", off["memory"]).samples
        mutex = scraped(service.url, "mutex", off["mutex"])
        assert ["contentions", "delay"] == [one.type for one in mutex.sample_types]


def test_the_times_are_ones_that_the_scrapers_take():
    interval, duration = (
        seconds(re.search(rf'{name}\s*=\s*"(\w+)"', ALLOY)[1])
        for name in ("scrape_interval", "delta_profiling_duration")
    )
    assert 1 < duration <= interval - 1  # Alloy's Arguments.Validate
    (job,) = PARCA["scrape_configs"]
    assert seconds(job["scrape_timeout"]) > seconds(job["scrape_interval"])  # Parca's ScrapeConfig.UnmarshalYAML
    assert max(duration, seconds(job["scrape_interval"])) <= 120  # our own profile_seconds_limit


def test_the_braces_of_alloys_file_are_balanced_and_each_block_has_the_component_it_forwards_to():
    bare = re.sub(r'"[^"]*"|//.*', "", ALLOY)
    assert (bare.count("{"), bare.count("[")) == (bare.count("}"), bare.count("]"))
    (target,) = re.findall(r"forward_to = \[(\S+)\.receiver\]", ALLOY)
    component, label = target.rsplit(".", 1)
    assert f'{component} "{label}" {{' in ALLOY
