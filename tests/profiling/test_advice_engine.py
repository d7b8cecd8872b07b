"""What holds for all recommendations: when they are suppressed, that no cause is told twice, that bounds add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advice_evidence import as_kind, facts, go, golang, is_of, mixed, python, real, weights
from runtime_exporter.profiling.advice import RULES, Evidence, Facts, Weights, advise, bias_risk, silenced, weigh
from runtime_exporter.profiling.advice.engine import LEAST_CORES, LEAST_SAMPLES
from runtime_exporter.profiling.advice.facts import EventLoop, Gil, GoRuntime, Instruments, Quota
from runtime_exporter.profiling.advice.page import page
from runtime_exporter.profiling.profile import Frame, Label, build

PAGE = Path(__file__).parents[2] / "docs" / "recommendations.md"
WORKLOADS = (
    "regex", "json_text", "logged", "logged_as_json", "tracebacks", "imports", "deep_copy", "date_format",
    "django_objects", "jinja_compiled", "pydantic_models", "metrics_client", "plain",
)  # fmt: skip
LEAF_RULES = {rule.name for rule in RULES if rule.needs_leaf}


def rules(evidence):
    return [each.rule for each in advise(evidence)]


def with_samples(profile, samples):
    return Weights(profile.kind, profile.stacks, profile.values, (samples, *(0 for _ in profile.stacks[1:])))


def test_fewer_than_300_samples_say_nothing():
    profile = real("deep_copy")
    enough, few = (python(with_samples(profile, number)) for number in (LEAST_SAMPLES.value, LEAST_SAMPLES.value - 1))

    assert ["deepcopy"] == rules(enough)
    assert [] == rules(few)
    assert "299 samples, fewer than 300" == silenced(few)["deepcopy"]


def test_a_process_that_uses_less_than_a_twentieth_of_a_core_has_nothing_to_save():
    evidence = python(real("deep_copy"))
    busy, idle = (replace(evidence, window=evidence.window / cores) for cores in (LEAST_CORES.value, 0.049))

    assert ["deepcopy"] == rules(busy)
    assert [] == rules(idle)
    assert "the process uses 4.9% of a core, less than 5%" == silenced(idle)["deepcopy"]


def test_an_idle_process_is_still_told_of_its_leak_and_its_slow_names():
    wall = real("name_lookup", "wall")
    idle = python(mixed(real("plain"), real("plain"), 0.5), wall)
    idle = replace(idle, window=idle.window * 1000, facts=Facts(instruments=Instruments(tracers=("pdb",))))

    assert ["dns-lookup", "tracing-left-on"] == sorted(rules(idle))


def test_a_biased_profile_silences_the_rules_that_rest_on_leaves():
    assert {"json-stdlib", "observer-cost", "logging-in-hot-path", "import-at-runtime"} == LEAF_RULES
    evidence = python(real("json_text"))

    assert ["json-stdlib"] == rules(replace(evidence, bias="low"))
    assert [] == rules(replace(evidence, bias="high"))
    assert "biased" in silenced(replace(evidence, bias="high"))["json-stdlib"]


def test_a_biased_profile_makes_the_others_doubtful():
    (said,) = advise(python(real("deep_copy"), bias="high"))

    assert "info" == said.severity
    assert "high" == said.evidence["bias"]
    assert said.wrong_when.startswith("The profile is biased")
    (unbiased,) = advise(python(real("deep_copy"), bias="none"))
    assert "warning" == unbiased.severity
    assert not unbiased.wrong_when.startswith("The profile is biased")


@pytest.mark.parametrize(
    ("unbiased", "ratio", "risk"), [(True, 0.9, "none"), (False, 0.1, "low"), (False, 0.11, "high")]
)
def test_the_risk_is_what_the_sampler_says_of_itself(unbiased, ratio, risk):
    assert risk == bias_risk(unbiased=unbiased, bias_ratio=ratio)


def test_imports_of_a_young_process_are_its_start():
    evidence = python(real("imports"))

    assert ["import-at-runtime"] == rules(replace(evidence, age=301))
    assert [] == rules(replace(evidence, age=299))
    assert ["import-at-runtime"] == rules(replace(evidence, age=None))


def test_json_that_a_log_formatter_writes_is_the_logs_cost_alone():
    assert ["logging-in-hot-path"] == rules(python(real("logged_as_json")))


def test_json_of_another_caller_is_still_told_beside_it():
    both = mixed(real("logged_as_json"), real("json_text"), 0.5)

    said = {each.rule: each for each in advise(python(both))}

    assert {"logging-in-hot-path", "json-stdlib"} == set(said)
    assert 0.5 == pytest.approx(said["json-stdlib"].gain_upper_bound, abs=0.1)  # some samples are of the start
    assert is_of(said["json-stdlib"].target, "json_text")


def test_what_blocks_the_loop_by_computing_is_not_told_as_a_share_again():
    wall = real("loop_dumps", "wall")
    cpu = as_kind(wall, "cpu")

    assert ["json-stdlib"] == rules(python(cpu, wall))
    assert ["event-loop-blocked"] == rules(python(cpu, wall, facts=Facts(loop=EventLoop(lag=0.5))))


def test_a_quota_that_throttles_is_the_cause_of_waiting_for_the_gil_and_of_a_late_loop():
    quota = Quota(cores=1, periods=100, throttled_periods=50, throttled_seconds=10)
    wall = real("loop_computes", "wall")
    evidence = python(None, wall, facts=Facts(loop=EventLoop(lag=0.5), gil=Gil(wait_ratio=0.9, runnable=4)))

    assert {"event-loop-blocked", "gil-bound"} == set(rules(evidence))
    assert ["cpu-throttled"] == rules(replace(evidence, facts=replace(evidence.facts, quota=quota)))


def test_gomaxprocs_above_the_quota_is_told_once_and_with_the_number_to_set():
    quota = Quota(cores=2, periods=100, throttled_periods=50)
    evidence = golang(go("scheduler"), facts=Facts(go=GoRuntime(version=(1, 24), gomaxprocs=16), quota=quota))

    (said,) = [each for each in advise(evidence) if each.rule in {"go-scheduler-cost", "cpu-throttled"}]

    assert "go-scheduler-cost" == said.rule
    assert said.what_to_do.startswith("Set GOMAXPROCS=2, or build with Go 1.25")
    fitting = replace(evidence, facts=Facts(go=GoRuntime(gomaxprocs=2), quota=quota))
    assert {"go-scheduler-cost", "cpu-throttled"} <= set(rules(fitting))


def test_collecting_is_not_counted_as_growing_slices():
    said = {each.rule: each.gain_upper_bound for each in advise(golang(go("slices")))}

    assert {"go-growing-containers", "go-gc-cost"} == set(said)
    assert 1 >= sum(said.values())


def test_rules_of_the_other_language_are_silent():
    assert [] == rules(python(go("json")))
    assert [] == rules(golang(real("json_text")))


def test_without_evidence_nothing_is_said():
    assert () == advise(Evidence(language="python", window=0))
    assert () == advise(Evidence(language="go", window=0))
    assert () == advise(python(Weights("cpu", (), (), ())))


def test_the_most_severe_come_first_and_among_them_the_costly():
    cpu = mixed(real("deep_copy"), real("date_format"), 0.3)
    said = advise(python(cpu, facts=Facts(instruments=Instruments(tracers=("x",)), loop=EventLoop(lag=0, debug=True))))

    order = {"critical": 0, "warning": 1, "info": 2}
    assert ["strptime", "deepcopy", "tracing-left-on"] == [each.rule for each in said]
    assert sorted(order[each.severity] for each in said) == [order[each.severity] for each in said]


@given(st.lists(st.integers(0, 100), min_size=len(WORKLOADS), max_size=len(WORKLOADS)).filter(any))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_bounds_add_up_to_at_most_all_of_it_and_nothing_is_told_twice(amounts):
    rows = [
        (stack, amount * value)
        for workload, amount in zip(WORKLOADS, amounts, strict=True)
        if amount
        for stack, value in zip(real(workload).stacks, real(workload).values, strict=True)
    ]
    said = advise(python(weights(rows)))

    assert sum(each.gain_upper_bound for each in said) <= 1 + 1e-9
    assert len(said) == len({each.rule for each in said})
    assert all(each.evidence["share_low"] <= each.gain_upper_bound <= each.evidence["share_high"] for each in said)


def test_the_page_is_what_the_rules_say():
    assert page() == PAGE.read_text(encoding="utf-8"), (
        "run: python -m runtime_exporter.profiling.advice.page > docs/recommendations.md"
    )


def test_every_threshold_has_a_source():
    missing = [
        (rule.name, each.what)
        for rule in RULES
        for each in (*rule.thresholds, *([rule.judge.threshold] if hasattr(rule.judge, "threshold") else []))
        if not each.source
    ]
    assert [] == missing


def test_rules_that_a_rule_yields_to_exist_and_come_before_it():
    names = [rule.name for rule in RULES]
    wrong = [
        (rule.name, other) for place, rule in enumerate(RULES) for other in rule.yields_to if other not in names[:place]
    ]
    assert [] == wrong


def test_facts_alone_need_no_profile():
    evidence = facts(quota=Quota(cores=1, periods=100, throttled_periods=30))

    assert ["cpu-throttled"] == rules(evidence)


def test_who_sleeps_or_waits_for_a_queue_is_not_advised_to_hold_locks_for_less():
    def waiting(*names, wait="lock", seconds=30):
        stack = tuple(Frame(name, "", 0) for name in names)
        labels = (Label("wait", wait),) if wait else ()
        return stack, (100, seconds * 10**9), labels

    idle = [
        waiting("time:sleep", "app:poll", wait="sleep"),
        waiting("threading:Condition.wait", "threading:Event.wait", "app:main"),
        # A socket that is read below a lock's own method.
        waiting("threading:Lock.acquire", "app:read", wait="socket"),
    ]
    hot = waiting("threading:Lock.acquire", "app:order")
    counted = waiting("app:order", wait="")

    def advised(*rows):
        block = build("block", rows, time_nanos=0, duration_nanos=60 * 10**9)
        found = advise(Evidence(language="python", window=60.0, profiles={"block": weigh(block, "block")}))
        return [one.target for one in found if one.rule == "lock-hot-spot"]

    assert [] == advised(*idle)
    assert ["app:order"] == advised(*idle, hot)
    assert ["app:order"] == advised(*idle, counted)
