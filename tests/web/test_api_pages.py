"""/api/v1/profiles on a real store: what is kept is listed, served and compared; what is wrong is said in JSON."""

from __future__ import annotations

import json

import pytest
import requests

from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.kept import Kept
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.store import Store
from runtime_exporter.web.api_pages import api_routes
from runtime_exporter.web.app import application_of

DAY = 1_795_312_800  # 2026-11-22T02:00:00Z
SECOND = 10**9
SLOW, FAST = Frame("shop:slow", "/shop.py", 7), Frame("shop:fast", "/shop.py", 17)


def cpu(begin, **seconds):
    rows = [((frame,), (1, seconds[name] * SECOND), ()) for name, frame in (("slow", SLOW), ("fast", FAST))]
    return build("cpu", rows, time_nanos=begin * SECOND, duration_nanos=60 * SECOND)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "profiles", clock=lambda: DAY + 600)
    store.put(cpu(DAY, slow=1, fast=3), "cpu")
    store.put(cpu(DAY + 300, slow=6, fast=2), "cpu", capture=True, labels={"alert": "Cpu/Spike %"})
    return store


@pytest.fixture
def get(serve, store):
    url = serve(application_of(api_routes(Kept(store)))).url
    return lambda path="", **query: requests.get(url + "/api/v1/profiles" + path, params=query, timeout=10)


def test_what_is_kept_is_listed_oldest_first_with_all_that_is_known_of_it(get):
    first, second = get().json()["profiles"]

    assert ("cpu", "2026-11-22T02:00:00.000Z", "2026-11-22T02:01:00.000Z", "raw", False, {}) == tuple(
        first[name] for name in ("kind", "begin", "end", "resolution", "on_demand", "labels")
    )
    assert (True, {"alert": "Cpu/Spike %"}) == (second["on_demand"], second["labels"])
    assert first["bytes"] > 100


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"kind": "cpu"}, 2),
        ({"kind": "wall"}, 0),
        ({"begin": DAY + 200}, 1),
        ({"end": "2026-11-22T02:02:00Z"}, 1),
        ({"begin": "2026-11-22T03:00:00+00:00"}, 0),
    ],
)
def test_the_list_is_of_a_kind_and_a_time(get, query, count):
    assert count == len(get(**query).json()["profiles"])


def test_each_profile_is_served_as_the_file_that_it_is_under_the_url_that_the_list_gives(get):
    for row in get().json()["profiles"]:
        answer = get(row["url"].removeprefix("/api/v1/profiles"))

        assert (200, row["bytes"]) == (answer.status_code, len(answer.content))
        assert ("application/octet-stream", f'attachment; filename="{row["id"]}"') == (
            answer.headers["Content-Type"],
            answer.headers["Content-Disposition"],
        )
        assert 60 * SECOND == pprof.decode(answer.content).duration_nanos


def test_two_profiles_are_compared_by_shares(get):
    before, after = (row["id"] for row in get().json()["profiles"])
    found = get("/diff", before=before, after=after).json()

    assert ("cpu", "seconds", {"before": 4, "after": 8}, 0) == tuple(
        found[name] for name in ("kind", "unit", "total", "left_out")
    )
    slow = next(row for row in found["functions"] if row["function"] == "shop:slow")
    assert {
        "function": "shop:slow",
        "before": 1,
        "after": 6,
        "share_before": 0.25,
        "share_after": 0.75,
        "share_change": 0.5,
    } == slow


def test_times_are_compared_as_profiles_are(get, store):
    store.put(cpu(DAY + 400, slow=3, fast=1), "cpu")
    found = get(
        "/diff", kind="cpu", before=f"{DAY}..{DAY + 60}", after=f"{DAY + 390}..{DAY + 470}", column="cum"
    ).json()

    assert ("cum", {"before": 4, "after": 4}) == (found["column"], found["total"])
    assert {"shop:slow": 0.5, "shop:fast": -0.5} == {row["function"]: row["share_change"] for row in found["functions"]}


@pytest.mark.parametrize(
    ("path", "query", "status", "words"),
    [
        ("/nonsense", {}, 404, "no profile 'nonsense'"),
        ("/../../etc/passwd", {}, 404, ""),
        ("/%2e%2e%2fsecret", {}, 404, "no profile"),
        ("", {"begin": "soon"}, 400, "'soon' is no time"),
        ("", {"end": "nan"}, 400, "'nan' is no time"),
        ("/diff", {}, 400, "before is needed"),
        ("/diff", {"before": "x", "after": "y"}, 404, "no profile 'x'"),
        ("/diff", {"before": "1..2", "after": "3..4"}, 400, "kind says"),
        ("/diff", {"before": "1..2", "after": "3..4", "kind": "cpu"}, 404, "no cpu profile"),
        ("/diff", {"before": "1..x", "after": "3..4", "kind": "cpu"}, 400, "'x' is no time"),
        ("/diff", {"before": "x", "after": "y", "column": "both"}, 400, "column is self or cum"),
    ],
)
def test_what_is_wrong_is_said(get, path, query, status, words):
    answer = get(path, **query)

    assert status == answer.status_code
    assert words in (answer.json()["error"] if words else "")


def test_a_sample_type_that_a_profile_has_not_is_said(get):
    before, after = (row["id"] for row in get().json()["profiles"])
    answer = get("/diff", before=before, after=after, sample_type="alloc_space")

    assert 404 == answer.status_code
    assert "no sample type 'alloc_space'" in answer.json()["error"]


def test_without_a_store_the_setting_is_named(serve):
    answer = requests.get(serve(application_of(api_routes(None))).url + "/api/v1/profiles", timeout=10)

    assert (501, "application/json") == (answer.status_code, answer.headers["Content-Type"])
    assert "profile_directory" in json.loads(answer.text)["error"]
