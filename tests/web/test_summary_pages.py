"""/api/v1/summary and /api/v1/recommendations of a real pipeline: what the last profiles came to, and what follows from it."""

from __future__ import annotations

import json

import pytest
import requests

from runtime_exporter.profiling.evidence import Adviser
from runtime_exporter.profiling.leaks import Suspect
from runtime_exporter.profiling.pipeline import Pipeline, Taken
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.watch import Watch
from runtime_exporter.web.app import application_of
from runtime_exporter.web.summary_pages import summary_routes

START = 1_795_312_800  # 2026-11-22T02:00:00Z
SECOND = 10**9
SLOW, FAST, MAIN = Frame("shop:slow", "/shop.py", 7), Frame("shop:fast", "/shop.py", 17), Frame("shop:main", "/m.py", 1)
PARSE = Frame("re:_compile", "/usr/lib/python3.11/re/__init__.py", 280)
GROWING = Suspect(
    kind="threads", site="poll in shop:poll", unit="threads", first=1.0, last=40.0, begin=0.0, end=600.0, windows=11, p=0.001,
    slope=0.065, slope_low=0.06, slope_high=0.07, settled=False, seconds_to_limit=float("inf"),
)  # fmt: skip


class Leaking:
    def look(self, _):
        return {"threads": [GROWING], "rss": []}

    def forget(self, began):
        raise AssertionError(began)


def taken(number, slow=6, fast=4, compiling=0):
    begin = START + 60 * number
    rows = [
        ((leaf, MAIN), (20 * seconds, seconds * SECOND), ())
        for leaf, seconds in ((SLOW, slow), (FAST, fast))
        if seconds
    ]
    rows += [((PARSE, SLOW, MAIN), (20 * compiling, compiling * SECOND), ())] if compiling else []
    time = {"time_nanos": begin * SECOND, "duration_nanos": 60 * SECOND}
    heap = build("heap", [((SLOW,), (1, 10, 1, 10 * number), ())], **time)
    return Taken(
        {"cpu": build("cpu", rows, **time), "heap": heap}, begin, begin + 60,
        backend="thread", unbiased=False, bias_ratio=0.05, samples=1200, own_cpu_seconds=0.3,
    )  # fmt: skip


@pytest.fixture
def pipeline():
    watch = Watch(windows=3, fewest=6)
    adviser = Adviser("python", began=START - 1000, read=lambda: Read(), growth=Leaking())
    return Pipeline(
        compare=lambda interval: watch.compare(interval.tables, interval.profiles),
        suspects=adviser.suspects,
        advise=adviser.recommend,
    )


class Read:
    def since(self, _, __):
        from runtime_exporter.profiling.advice import Facts

        return Facts()


@pytest.fixture
def get(serve, pipeline):
    url = serve(application_of(summary_routes(lambda _: pipeline.report))).url

    def get(path, **query):
        answer = requests.get(f"{url}/api/v1/{path}", params=query, timeout=10)
        return answer.status_code, json.loads(answer.text, parse_constant=pytest.fail)

    return get


def test_functions_have_their_shares_of_the_last_minutes(get, pipeline):
    for number in range(8):
        pipeline.take_in(taken(number))
    _, summary = get("summary", kind="cpu", limit=1)
    (cpu,) = summary["profiles"]
    assert ("cpu", "seconds", 5, 300.0, 50.0, 1000) == tuple(
        cpu[name] for name in ("kind", "unit", "intervals", "seconds", "total", "samples")
    )
    (own,) = cpu["self"]
    assert {
        "function": "shop:slow", "value": 30.0, "share": 0.6, "samples": 600,
        "file": "/shop.py", "line": own["line"], "caller": "shop:main",
    } == own  # fmt: skip
    assert 0.6 == cpu["self_coverage"]
    assert [("shop:main", 1.0)] == [(one["function"], one["share"]) for one in cpu["cum"]]
    assert ("thread", False, "low", 0.05) == tuple(
        summary[name] for name in ("backend", "unbiased", "bias", "bias_ratio")
    )
    assert 2.4 == pytest.approx(summary["overhead"]["cpu_seconds"])
    assert "2026-11-22T02:08:00.000Z" == summary["last_interval"]["end"] == cpu["end"]


def test_more_or_less_time_is_summed_where_that_is_asked_for_and_memory_is_as_it_is_now(get, pipeline):
    for number in range(8):
        pipeline.take_in(taken(number))
    spans = {seconds: get("summary", kind="cpu", seconds=seconds)[1]["profiles"][0] for seconds in (1, 120, 3600)}
    assert {1: 1, 120: 2, 3600: 8} == {seconds: one["intervals"] for seconds, one in spans.items()}
    assert {1: 10.0, 120: 20.0, 3600: 80.0} == {seconds: one["total"] for seconds, one in spans.items()}
    assert (1, 70.0) == tuple(get("summary", kind="heap")[1]["profiles"][0][name] for name in ("intervals", "total"))


def test_where_nothing_rose_the_smallest_change_that_would_have_been_seen_is_told(get, pipeline):
    pipeline.take_in(taken(0))
    before = get("summary", kind="cpu")[1]["profiles"][0]["comparison"]
    assert before["verdict"].startswith("not compared")
    for number in range(1, 20):
        pipeline.take_in(taken(number, slow=6 + number % 2))
    comparison = get("summary", kind="cpu")[1]["profiles"][0]["comparison"]
    visible = comparison["smallest_visible_change"]
    assert 0.2 <= visible <= 1
    assert f"no regression found; smallest visible change: {visible:.0%}" == comparison["verdict"]
    assert ("rolling", []) == (comparison["baseline"], comparison["findings"])


def test_a_regression_is_the_verdict_with_all_that_is_known_of_it(get, pipeline):
    for number in range(20):
        pipeline.take_in(taken(number, slow=2, fast=8 + number % 2))
    for number in range(20, 30):
        pipeline.take_in(taken(number, slow=20, fast=8))
    comparison = get("summary", kind="cpu")[1]["profiles"][0]["comparison"]
    (finding,) = [one for one in comparison["findings"] if one["state"] == "confirmed"]
    assert ("shop:slow", "rolling") == (finding["function"], finding["baseline"])
    assert finding["z"] > 3
    assert (True, pytest.approx(20 / 28)) == (2 / 11 < finding["share_before"] < 2 / 10, finding["share_now"])
    assert f"shop:slow rose from {finding['share_before']:.1%} to 71.4% of the cpu time" == comparison["verdict"]


def test_recommendations_come_with_their_evidence_and_suspects_with_theirs(get, pipeline):
    pipeline.take_in(taken(0, slow=6, fast=4, compiling=10))
    _, found = get("recommendations")
    (advice,) = [one for one in found["recommendations"] if one["rule"] == "regex-compile"]
    assert {
        "rule", "title", "severity", "target", "claim", "evidence", "gain_upper_bound", "gain_of", "what_to_do",
        "how_to_verify", "wrong_when",
    } == set(advice)  # fmt: skip
    assert (0.5, 400) == (advice["gain_upper_bound"], advice["evidence"]["samples"])
    (suspect,) = found["leak_suspects"]
    assert ("threads", "poll in shop:poll", 40.0, None) == tuple(
        suspect[name] for name in ("kind", "site", "last", "seconds_to_limit")
    )
    assert suspect["text"].startswith("leak suspect: threads of poll in shop:poll grew from 1 to 40")
    assert ["rss", "threads"] == found["looked_for_leaks_of"]
    assert "group-growth" in {one["rule"] for one in found["recommendations"]}


def test_recommendations_below_a_severity_are_left_out(get, pipeline):
    pipeline.take_in(taken(0, compiling=10))
    rules = {
        severity: {one["rule"] for one in get("recommendations", severity=severity)[1]["recommendations"]}
        for severity in ("info", "warning", "critical")
    }
    assert rules["info"] >= rules["warning"] > rules["critical"]


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("summary", {"kind": "mutex"}, "there is cpu, heap"),
        ("summary", {"limit": "0"}, "at least 1 and at most 500"),
        ("summary", {"limit": "many"}, "at least 1 and at most 500"),
        ("summary", {"seconds": "inf"}, "at least 1"),
        ("summary", {"seconds": "nan"}, "at least 1"),
        ("recommendations", {"severity": "bad"}, "severity is info, warning, critical"),
    ],
)
def test_a_question_that_has_no_answer_is_told_why(get, pipeline, path, query, words):
    pipeline.take_in(taken(0))
    status, answer = get(path, **query)
    assert 400 == status
    assert words in answer["error"]


@pytest.mark.parametrize("path", ["summary", "recommendations"])
def test_before_the_first_interval_and_without_profiling_it_says_so(serve, get, path):
    status, answer = get(path)
    assert (503, "the first interval of profiling is not over") == (status, answer["error"])
    url = serve(application_of(summary_routes(lambda _: None, prefix="/targets/one/api/v1"))).url
    off = requests.get(f"{url}/targets/one/api/v1/{path}", timeout=10)
    assert (501, True) == (off.status_code, "the setting profiling" in off.json()["error"])
