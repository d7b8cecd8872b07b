"""Each rule speaks where it should and is silent where it must: a rule that lacks one of the two cases fails here."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from advice_evidence import (
    HANDLER,
    IMPORT,
    as_kind,
    beneath,
    facts,
    go,
    golang,
    is_of,
    mixed,
    only,
    python,
    real,
    recorded,
    weights,
    without_functions_above,
)
from runtime_exporter.profiling import leaks
from runtime_exporter.profiling.advice import RULES, Evidence, Facts, advise
from runtime_exporter.profiling.advice.engine import suppressed
from runtime_exporter.profiling.advice.facts import (
    Collections,
    EventLoop,
    Gil,
    GoRuntime,
    Instruments,
    Memory,
    Pool,
    Quota,
)
from runtime_exporter.profiling.advice.share import Share
from runtime_exporter.profiling.advice.values import Claimed
from runtime_exporter.profiling.advice.weights import Weights
from runtime_exporter.profiling.profile import Frame

RULE = {rule.name: rule for rule in RULES}
PLAIN = {"python": lambda: real("plain"), "go": lambda: go("plain")}
LOCKED = (Frame("threading:Lock.acquire", "/usr/lib/python3.11/threading.py"), HANDLER)
ELSEWHERE = (Frame("shop.stock:book", "/srv/shop/stock.py", 3, 1),)


class Case(NamedTuple):
    speaks: object
    silent: object
    target: str = "process"


def collector(**changed):
    usual = {
        "seconds": 6.0,
        "collections": (900, 80, 6),
        "collected": (4000, 300, 100),
        "thresholds": (700, 10, 10),
        "oldest_objects": 900_000,
        "full_pause": 0.4,
    }
    return facts(gc=Collections(**{**usual, **changed}))


def loop(workload, lag, *, computes=True):
    wall = real(workload, "wall")
    cpu = as_kind(wall, "cpu") if computes else real("plain")
    return python(cpu, wall, facts=Facts(loop=EventLoop(lag=lag)))


def block(hot, cold):
    return facts(profiles=[weights([(LOCKED, hot), (ELSEWHERE, cold)], "block")])


def pool(busy, last):
    return facts(pools=(Pool(name="orders", workers=10, busy=busy, queue_first=0, queue_last=last),))


def grown(unit, first, last, *, language="python", p=0.001, windows=20, site="shop.cart:Item", left=7200.0):
    slope = (last - first) / 3600
    found = leaks.Suspect(
        kind="heap", site=site, unit=unit, first=first, last=last, begin=0, end=3600, windows=windows, p=p, slope=slope,
        slope_low=slope / 2, slope_high=slope * 2, settled=True, seconds_to_limit=left,
    )  # fmt: skip
    return facts(language, suspects=(found,), memory=Memory(resident=500_000_000, allocator_free=0))


def growth(unit, last, language="python", windows=12):
    return grown(unit, 10, last, language=language, windows=windows, site="worker", left=float("inf"))


def suspect(p=0.001, last=90e6):
    return grown("bytes", 40e6, last, p=p)


def memory(free):
    return facts(memory=Memory(resident=500_000_000, allocator_free=free))


def thrashing(goal):
    runtime = GoRuntime(memory_limit=1 << 30, heap_goal=int(goal * (1 << 30)), live_heap=900 << 20)
    return golang(go("gc"), facts=Facts(go=runtime))


def mutex(goroutines):
    return golang(go("mutex", "mutex"), window=3.0, facts=Facts(go=GoRuntime(goroutines=goroutines)))


def brief(profile):
    """The same profile of next to no time."""
    return Weights(profile.kind, profile.stacks, tuple(value / 1e6 for value in profile.values), profile.counts)


def pgo(built_with_it, divergence=0.02, program="sprintf"):
    return golang(go(program), facts=Facts(go=GoRuntime(pgo=built_with_it), divergence=divergence))


def block_rate(rate):
    return facts("go", go=GoRuntime(block_profile_rate=rate))


CASES = {
    # Python, overhead: each `speaks` and `silent` is a real workload
    "debug-left-on": [
        Case(lambda: python(real("django_debug")), lambda: python(real("django_objects")), "django_debug"),
        Case(lambda: python(real("flask_debugger")), lambda: python(real("flask_plain")), "flask_debugger"),
    ],
    "observer-cost": [
        Case(lambda: python(real("metrics_client")), lambda: python(real("wrapped_by_an_observer")), "metrics_client"),
        Case(lambda: python(recorded("spans")), lambda: python(real("plain")), "spans"),
    ],
    "import-at-runtime": [
        Case(
            lambda: python(real("imports")),
            lambda: python(without_functions_above(real("imports"), "_frozen_importlib:_find_and_load")),
            "imports",
        )
    ],
    "template-compile": [
        Case(lambda: python(real("jinja_compiled")), lambda: python(real("jinja_rendered")), "jinja_compiled"),
        Case(
            lambda: python(real("django_template_compiled")),
            lambda: python(
                only(real("django_template_compiled"), lambda stack: any("render" in frame.name for frame in stack))
            ),
            "django_template_compiled",
        ),
    ],
    "client-per-request": [
        Case(
            lambda workload=workload: python(real(workload)),
            lambda workload=workload: python(beneath(real(workload), IMPORT)),
            workload,
        )
        for workload in ("tls_context", "urllib3_context", "httpx_client")
    ]
    + [Case(lambda: python(recorded("boto3_client")), lambda: python(real("flask_plain")), "boto3_client")],
    "exceptions-as-control-flow": [
        Case(lambda: python(real("tracebacks")), lambda: python(real("exceptions_unformatted")), "tracebacks")
    ],
    "logging-in-hot-path": [
        Case(lambda: python(real("logged")), lambda: python(real("logged_below_the_level")), "logged"),
        Case(lambda: python(recorded("loguru_logged")), lambda: python(real("plain")), "loguru_logged"),
    ],
    "dns-lookup": [
        Case(
            lambda: python(None, real("name_lookup", "wall")),
            lambda: python(None, mixed(real("name_lookup", "wall"), real("plain", "wall"), 0.04)),
            "name_lookup",
        )
    ],
    # Python, data
    "pandas-row-by-row": [
        Case(lambda: python(recorded("pandas_rows")), lambda: python(recorded("pandas_columns")), "pandas_rows")
    ],
    "orm-hydration": [
        Case(lambda: python(real("django_objects")), lambda: python(real("django_query_only")), "django_objects"),
        Case(
            lambda: python(recorded("sqlalchemy_objects")),
            lambda: python(recorded("sqlalchemy_columns")),
            "sqlalchemy_objects",
        ),
    ],
    "validation-cost": [
        Case(lambda: python(real("pydantic_models")), lambda: python(real("pydantic_unvalidated")), "pydantic_models")
    ],
    "deepcopy": [Case(lambda: python(real("deep_copy")), lambda: python(real("shallow_copy")), "deep_copy")],
    "strptime": [
        Case(lambda: python(real("date_format")), lambda: python(real("date_iso")), "date_format"),
        Case(lambda: python(recorded("dateutil_parsed")), lambda: python(real("plain")), "dateutil_parsed"),
    ],
    "regex-compile": [
        Case(lambda: python(real("regex")), lambda: python(real("regex_precompiled")), "regex"),
        Case(lambda: python(real("regex")), lambda: python(beneath(real("regex"), IMPORT)), "regex"),
    ],
    "json-stdlib": [Case(lambda: python(real("json_text")), lambda: python(real("json_default")), "json_text")],
    # Python, the process
    "gc-cost": [
        Case(collector, lambda: collector(seconds=1.0, full_pause=0.05)),
        Case(lambda: collector(seconds=0.5), lambda: collector(enabled=False)),
    ],
    "event-loop-blocked": [
        Case(lambda: loop("loop_computes", 0.3), lambda: loop("loop_computes", 0.05), "loop_computes"),
        Case(lambda: loop("loop_sleeps", 0.3, computes=False), lambda: loop("plain", 0.3), "loop_sleeps"),
    ],
    "cpu-throttled": [
        Case(
            lambda: facts(quota=Quota(cores=0.5, periods=600, throttled_periods=90, throttled_seconds=4)),
            lambda: facts(quota=Quota(cores=0.5, periods=600, throttled_periods=20)),
        )
    ],
    "gil-bound": [
        Case(
            lambda: facts(gil=Gil(wait_ratio=0.6, runnable=3.5)), lambda: facts(gil=Gil(wait_ratio=0.6, runnable=1.0))
        ),
        Case(
            lambda: facts(gil=Gil(wait_ratio=0.4, runnable=2.0)), lambda: facts(gil=Gil(wait_ratio=0.2, runnable=4.0))
        ),
    ],
    "lock-hot-spot": [Case(lambda: block(80, 20), lambda: block(60, 40), "shop.orders:handle")],
    "pool-starved": [Case(lambda: pool(10, 40), lambda: pool(10, 0), "orders")],
    "pool-oversized": [Case(lambda: pool(0.2, 0), lambda: pool(2, 0), "orders")],
    "group-growth": [
        Case(lambda: growth("threads", 40), lambda: growth("threads", 15), "worker"),
        Case(lambda: growth("tasks", 40), lambda: growth("tasks", 40, windows=5), "worker"),
    ],
    "tracing-left-on": [
        Case(lambda: facts(instruments=Instruments(tracers=("coverage",))), lambda: facts(instruments=Instruments())),
        Case(lambda: facts(loop=EventLoop(lag=0, debug=True)), lambda: facts(loop=EventLoop(lag=0))),
    ],
    "leak-suspect": [
        Case(suspect, lambda: suspect(p=0.05), "shop.cart:Item"),
        Case(suspect, lambda: suspect(last=44e6), "shop.cart:Item"),
        Case(lambda: grown("objects", 0, 9000), lambda: grown("objects", 0, 4000), "shop.cart:Item"),
    ],
    "memory-unused": [Case(lambda: memory(200_000_000), lambda: memory(100_000_000))],
    # Go: profiles of recorded/go/main.go
    "go-gc-thrash": [Case(lambda: thrashing(0.97), lambda: thrashing(0.5))],
    "go-gc-cost": [Case(lambda: golang(go("gc")), lambda: golang(go("plain")))],
    "go-tls-handshake": [Case(lambda: golang(go("tls")), lambda: golang(go("json")), "main.useTLS")],
    "go-regexp-compile": [
        Case(
            lambda: golang(go("regexp")),
            lambda: golang(beneath(go("regexp"), [Frame("runtime.doInit1"), Frame("runtime.main")])),
            "main.useRegexp",
        )
    ],
    "go-json-reflection": [Case(lambda: golang(go("json")), lambda: golang(go("slices")), "main.useJSON")],
    "go-sprintf": [Case(lambda: golang(go("sprintf")), lambda: golang(go("json")), "main.useSprintf")],
    "go-growing-containers": [Case(lambda: golang(go("slices")), lambda: golang(go("plain")), "main.useSlices")],
    "go-block-profiling": [
        Case(lambda: golang(go("block")), lambda: golang(go("scheduler")), "main.useScheduler.func")
    ],
    "go-mutex-hot-spot": [
        Case(lambda: mutex(5), lambda: mutex(500), "main.useMutex.func1"),
        # A file: nobody knows how many goroutines there were.
        Case(lambda: golang(go("mutex", "mutex")), lambda: golang(brief(go("mutex", "mutex"))), "main.useMutex.func1"),
    ],
    "go-goroutine-leak": [
        Case(
            lambda: golang(go("leak", "goroutineleak")),
            lambda: golang(go("plain", "goroutineleak")),
            "main.waitForever",
        ),
        Case(lambda: growth("goroutines", 90, "go"), lambda: growth("goroutines", 40, "go"), "worker"),
    ],
    "go-scheduler-cost": [Case(lambda: golang(go("scheduler")), lambda: golang(go("slices")))],
    "go-timers": [
        Case(lambda: golang(go("timers", "heap")), lambda: golang(go("plain", "heap")), "main.useTimers"),
    ],
    "go-block-profile-rate": [Case(lambda: block_rate(10_000), lambda: block_rate(100_000_000))],
    "go-pgo": [
        Case(lambda: pgo(False), lambda: pgo(True)),
        Case(lambda: pgo(False), lambda: pgo(False, 0.4)),
        Case(lambda: pgo(False), lambda: pgo(False, program="json")),
    ],
}
EACH = [(name, case) for name, cases in CASES.items() for case in cases]
SHARES = [(name, case) for name, case in EACH if isinstance(RULE[name].judge, Share)]


def spoken(evidence, name):
    """What one rule alone says."""
    return [each for each in advise(evidence, [RULE[name]]) if each.rule == name]


def test_every_rule_has_a_case_in_which_it_speaks_and_one_in_which_it_is_silent():
    assert set(RULE) == set(CASES)
    assert [] == [name for name, cases in CASES.items() if not cases]


def test_names_of_rules_are_unique():
    assert len(RULES) == len(RULE)


@pytest.mark.parametrize(("name", "case"), EACH, ids=[name for name, _ in EACH])
def test_a_rule_speaks_with_a_claim_numbers_and_the_guilty_place(name, case):
    (said,) = spoken(case.speaks(), name)

    assert is_of(said.target, case.target)
    assert any(character.isdigit() for character in said.claim) or name == "tracing-left-on"
    assert said.claim.endswith(".")
    assert said.what_to_do
    assert said.how_to_verify
    assert said.wrong_when
    assert said.severity in {"info", "warning", "critical"}
    assert said.gain_upper_bound is None or 0 < said.gain_upper_bound <= 1
    assert "window_seconds" in said.evidence
    if RULE[name].kind:
        assert said.evidence["samples"] > 0
        assert {"backend", "bias", "profile", "total"} <= set(said.evidence)


@pytest.mark.parametrize(("name", "case"), EACH, ids=[name for name, _ in EACH])
def test_a_rule_is_silent_by_its_own_judgement_and_not_because_something_is_missing(name, case):
    evidence = case.silent()

    assert "" == suppressed(RULE[name], evidence)
    assert [] == spoken(evidence, name)


@pytest.mark.parametrize(("name", "case"), EACH, ids=[name for name, _ in EACH])
def test_a_rule_speaks_among_all_others_too(name, case):
    assert name in {each.rule for each in advise(case.speaks())}


@pytest.mark.parametrize(("name", "case"), SHARES, ids=[name for name, _ in SHARES])
def test_a_share_is_told_from_its_threshold_on_and_not_below(name, case):
    rule = RULE[name]
    evidence = case.speaks()
    profile = evidence.profiles[rule.kind]
    places = next(iter(rule.judge(evidence, Claimed()))).claims[rule.kind]
    guilty = only(profile, lambda stack: stack in {profile.stacks[place] for place in places})
    rest = as_kind(PLAIN[evidence.language](), rule.kind)

    def at(share):
        made = mixed(guilty, rest, share)
        return Evidence(language=evidence.language, window=made.total, profiles={rule.kind: made})

    (said,) = spoken(at(rule.judge.threshold.value * 1.1), name)
    assert rule.judge.threshold.value * 1.1 == pytest.approx(said.gain_upper_bound)
    assert said.evidence["share_low"] < said.evidence["share"] < said.evidence["share_high"]
    assert [] == spoken(at(rule.judge.threshold.value * 0.9), name)


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule.judge, Share)], ids=lambda rule: rule.name)
def test_a_rule_is_suppressed_by_the_profile_that_it_reads(rule):
    assert rule.judge.kind == rule.kind


def test_the_process_as_a_whole_is_no_suspect_beside_the_type_that_grows():
    type_, whole = (grown("bytes", 40e6, 90e6, site=site).facts.suspects[0] for site in ("shop.cart:Item", ""))

    assert ["shop.cart:Item"] == [each.target for each in spoken(facts(suspects=(whole, type_)), "leak-suspect")]
    assert ["process"] == [each.target for each in spoken(facts(suspects=(whole,)), "leak-suspect")]


def test_a_leak_that_reaches_the_limit_within_a_day_is_critical():
    soon, late, never = (
        spoken(grown("bytes", 40e6, 90e6, left=left), "leak-suspect")[0] for left in (7200, 200_000, float("inf"))
    )

    assert ["critical", "warning", "warning"] == [each.severity for each in (soon, late, never)]
    assert "the limit is reached in 2.0 hours" in soon.claim
    assert "the limit is reached in 2.3 days" in late.claim
    assert "limit" not in never.claim


def test_one_rule_names_three_groups_at_most():
    many = tuple(growth("threads", 100).facts.suspects[0] for _ in range(9))

    assert 3 == len(spoken(facts(suspects=many), "group-growth"))
