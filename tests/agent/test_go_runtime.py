"""What a Go process says of itself, on pages of three kinds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.agent.go import runtime
from runtime_exporter.agent.go.index import counts
from runtime_exporter.agent.go.runtime import Said
from runtime_exporter.profiling.advice.facts import GoRuntime
from runtime_exporter.profiling.profile import Frame, build

METRICS = b"""\
# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 42
# TYPE go_info gauge
go_info{version="go1.24.2 X:nocoverageredesign"} 1
go_gc_gogc_percent 75
go_gc_gomemlimit_bytes 2.68435456e+08
go_sched_gomaxprocs_threads 8
go_memstats_next_gc_bytes 4.194304e+06
go_gc_heap_live_bytes 2097152 1395066363000
go_goroutines_of_others 7
http_requests_total{go_info="1"} 3
process_start_time_seconds 1.7e+09
"""


def test_metrics_say_all_that_advice_asks_for():
    assert Said(
        version=(1, 24),
        gomaxprocs=8,
        goroutines=42,
        live_heap=2097152,
        heap_goal=4194304,
        gogc=75,
        memory_limit=268435456,
        started=1.7e9,
    ) == runtime.of_metrics(METRICS)


@pytest.mark.parametrize("value", [b"9.223372036854776e+18", b"+Inf", b"NaN"])
def test_a_memory_limit_that_is_off_is_none(value):
    assert runtime.of_metrics(b"go_gc_gomemlimit_bytes " + value).memory_limit is None


def test_a_collector_that_is_off_has_no_gogc():
    assert runtime.of_metrics(b"go_gc_gogc_percent 1.8446744073709552e+19").gogc is None


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"go_goroutines", b"go_goroutines many", b"go_info 1", b"\xff\xfe", b"<html>go_goroutines 7</html>"),
        b"[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_what_says_nothing_says_nothing(text):
    assert Said() == runtime.of_metrics(text) == runtime.of_expvar(text) == runtime.of_heap_text(text)


def test_expvar_and_the_text_of_the_heap_say_the_goal():
    assert Said(heap_goal=4194304) == runtime.of_expvar(json.dumps({"memstats": {"NextGC": 4194304}}).encode())
    assert Said(heap_goal=4194304) == runtime.of_heap_text(
        b"heap profile: 1: 2 [3: 4] @ heap/1048576\n# NextGC = 4194304\n"
    )


@pytest.mark.parametrize(
    "page", [[], 1, None, {}, {"memstats": 1}, {"memstats": {"NextGC": "4"}}, {"memstats": {"NextGC": 10**400}}]
)
def test_another_page_where_expvar_would_be_says_nothing(page):
    assert Said() == runtime.of_expvar(json.dumps(page).encode())


def test_the_first_source_that_says_something_counts():
    assert Said(gogc=50, heap_goal=7) == runtime.merged((Said(gogc=50), Said(gogc=100, heap_goal=7)))


def test_what_the_process_does_not_say_its_profiles_do():
    profiles = {
        "heap": build("heap", [((Frame("main.a"),), (0, 0, 1, 30), ())], time_nanos=0),
        "goroutine": build("goroutine", [((Frame("main.a"),), (6,), ())], time_nanos=0),
    }

    assert GoRuntime(goroutines=6, live_heap=30) == Said().facts({}, profiles)
    assert GoRuntime(goroutines=5, live_heap=30) == Said().facts({"goroutine": 5}, profiles)
    assert GoRuntime(goroutines=4, live_heap=20) == Said(goroutines=4, live_heap=20).facts({"goroutine": 5}, profiles)


@pytest.mark.parametrize(
    ("text", "expected"), [("go1.27.3", (1, 27)), ("devel go1.28-abc", (1, 28)), ("gccgo", None), ("", None)]
)
def test_a_version_is_its_first_two_numbers(text, expected):
    assert expected == runtime.version(text)


@given(st.binary(max_size=300))
def test_no_page_is_too_odd_to_be_read(text):
    for read in (runtime.of_metrics, runtime.of_expvar, runtime.of_heap_text, counts):
        read(text)
    runtime.of_metrics(b"go_goroutines " + text)
    runtime.of_expvar(b'{"memstats": {"NextGC": ' + text + b"}}")


def test_the_index_of_go_says_how_much_is_in_each_profile():
    unquoted = b"<tr><td>5</td><td><a href=goroutine?debug=1>goroutine</a></td></tr>"
    new = b"<tr><td>5</td><td><a href='goroutine?debug=1'>goroutine</a></td></tr>\n<tr><td>0</td><td><a href='block?debug=1'>block</a></td></tr>"

    assert {"goroutine": 5, "block": 0} == counts(new)
    assert {"goroutine": 5} == counts(new[:70]) == counts(unquoted)
