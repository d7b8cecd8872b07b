"""The profiler's report as series."""

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from runtime_exporter.collectors import ALL, Supervisor
from runtime_exporter.collectors.profiled.values import SITES, STATES
from runtime_exporter.collectors.profiles import ProfilesCollector
from runtime_exporter.errors import NoData, ProfileError
from runtime_exporter.metrics.exposition import TEXT
from runtime_exporter.profiling import comparison, leaks
from runtime_exporter.profiling.advice import Recommendation
from runtime_exporter.profiling.comparison import Comparison, Finding
from runtime_exporter.profiling.leaks import Suspect
from runtime_exporter.profiling.persistence import History
from runtime_exporter.profiling.pipeline import Interval, Report, Taken
from runtime_exporter.profiling.process import Profiling
from runtime_exporter.profiling.summary import Account, Tally
from runtime_exporter.profiling.watch import Judgement
from runtime_exporter.settings import Settings
from tools import needs_gil

INTERVAL = Interval(Taken({}, 0.0, 60.0, backend="thread", unbiased=False, bias_ratio=0.25, samples=1200), {}, {})
CPU = Tally(
    "cpu",
    "seconds",
    Account({"app:work": 45_000_000_000, "gc": 1_000_000_000}, 14_000_000_000, 2_000_000_000, 62_000_000_000),
    Account({"app:work": 900, "gc": 20}, 280, 0, 1200),
    {"app:main": 60_000_000_000},
    {"app:work": ("app.py", 10), "app:main": ("app.py", 90)},
    1,
    60.0,
)
BLOCK = Tally(
    "block",
    "seconds",
    Account({"app:take": 3_000_000_000}, 500_000_000, 0, 3_500_000_000),
    Account({"app:take": 60}, 10, 0, 70),
)
HEAP = Tally("heap", "bytes", Account({"app:load": 800}, 200, 0, 1000))


class FakeContinuous:
    def __init__(self, report=None, error=None):
        self.report = report or Report()
        self.error = error
        self.calls = []

    def start(self):
        self.calls.append("start")
        if self.error is not None:
            raise self.error

    def close(self):
        self.calls.append("close")

    def forked(self):
        self.calls.append("forked")


def report(*tallies, **more):
    return Report(INTERVAL, {tally.kind: tally for tally in tallies}, **more)


def series(collector):
    collector.update()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in collector.families
        for metric in family.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def finding(state="confirmed", **more):
    fields = {"z": 6.5, "share_before": 0.1, "share_now": 0.3, "delta_ratio": 2.0, "cost_ratio": 3.0}
    fields |= {"detectable_ratio": 0.2, "since": 0.0} | more
    return Finding("app:search", "cpu", "version 1.4", state, **fields)


def judgement(*findings, mde=0.4):
    return Judgement(Comparison("cpu", "version 1.4", findings, mde, 0.2, {}, History()), 120.0)


def test_members_the_rest_and_the_total_are_seconds():
    shown = series(ProfilesCollector(FakeContinuous(report(CPU))))
    assert {
        ("profile_self_seconds_total", "cpu", "app:work"): 45.0,
        ("profile_self_seconds_total", "cpu", "gc"): 1.0,
        ("profile_self_seconds_total", "cpu", "other"): 14.0,
        ("profile_cum_seconds_total", "cpu", "app:main"): 60.0,
        ("profile_total_seconds_total", "cpu"): 62.0,
        ("profile_samples_total", "cpu"): 1200.0,
        ("profile_function_info", "app:work", "app.py", "10"): 1.0,
        ("profile_function_info", "app:main", "app.py", "90"): 1.0,
        ("runtime_exporter_profiler_backend_info", "thread", "high"): 1.0,
        ("runtime_exporter_profiler_bias_ratio",): 0.25,
        ("runtime_exporter_profiler_pauses_total",): 0.0,
    } == shown


def test_waits_are_told_by_site_and_memory_by_function():
    shown = series(ProfilesCollector(FakeContinuous(report(BLOCK, HEAP))))
    assert 3.0 == shown["profile_wait_seconds_total", "block", "app:take"]
    assert 0.5 == shown["profile_wait_seconds_total", "block", "other"]
    assert 60 == shown["profile_contentions_total", "block", "app:take"]
    assert 3.5 == shown["profile_total_seconds_total", "block"]
    assert 800 == shown["profile_inuse_bytes", "heap", "app:load"]
    assert ("profile_self_seconds_total", "block", "app:take") not in shown


def test_goroutines_are_told_by_function_and_leaked_ones_apart():
    standing = Tally("goroutine", "count", Account({"main.serve": 40}, 2, 0, 42))
    leaked = Tally("goroutineleak", "count", Account({"main.leak": 7}, 0, 0, 7))
    shown = series(ProfilesCollector(FakeContinuous(report(standing, leaked))))

    assert {
        ("profile_goroutines", "goroutine", "main.serve"): 40.0,
        ("profile_goroutines", "goroutine", "other"): 2.0,
        ("profile_goroutines", "goroutineleak", "main.leak"): 7.0,
        ("profile_goroutines", "goroutineleak", "other"): 0.0,
    } == {name: value for name, value in shown.items() if name[0] == "profile_goroutines"}


def test_a_function_that_is_no_member_any_more_has_no_series_any_more():
    continuous = FakeContinuous(report(CPU))
    collector = ProfilesCollector(continuous)
    assert ("profile_self_seconds_total", "cpu", "app:work") in series(collector)
    continuous.report = report(Tally("cpu", "seconds", Account({"app:new": 1}, 5, 0, 6)))
    shown = series(collector)
    assert {"app:new", "other"} == {key[2] for key in shown if key[0] == "profile_self_seconds_total"}
    assert [] == [key for key in shown if key[0] == "profile_function_info"]


def test_findings_have_their_score_and_the_state_whether_they_are_confirmed():
    found = judgement(finding(), replace(finding("transient", z=4.5), function="app:load"))
    shown = series(ProfilesCollector(FakeContinuous(report(CPU, comparisons={"cpu": found}))))
    assert 1 == shown["profile_regression_active", "cpu", "app:search", "version 1.4"]
    assert 0 == shown["profile_regression_active", "cpu", "app:load", "version 1.4"]
    assert 6.5 == shown["profile_regression_score", "cpu", "app:search", "version 1.4"]
    assert 2.0 == shown["profile_regression_delta_ratio", "cpu", "app:search", "version 1.4"]
    assert 0.4 == shown["profile_mde_ratio", "cpu"]
    assert 0.2 == shown["profile_divergence", "cpu"]
    assert 120.0 == shown["profile_baseline_age_seconds", "cpu"]


def test_without_samples_there_is_no_smallest_change_to_tell():
    shown = series(ProfilesCollector(FakeContinuous(report(comparisons={"cpu": judgement(mde=float("inf"))}))))
    assert ("profile_mde_ratio", "cpu") not in shown


def test_recommendations_and_captures_are_told():
    advice = Recommendation(
        rule="regex_compile", title="", severity="info", target="app:parse", claim="", evidence={},
        gain_upper_bound=0.1, gain_of="CPU time", what_to_do="", how_to_verify="", wrong_when="",
    )  # fmt: skip
    captures = {("cpu", "kept"): 7}
    shown = series(
        ProfilesCollector(
            FakeContinuous(
                report(recommendations=(advice,), captures=captures, captured={("cpu", "kept"): 1_700_000_000.0})
            )
        )
    )
    assert 1 == shown["profile_recommendation", "regex_compile", "info", "app:parse"]
    assert 7 == shown["profile_captures_total", "cpu", "kept"]
    assert 1_700_000_000.0 == shown["profile_last_capture_timestamp_seconds", "cpu", "kept"]


def test_states_are_those_of_a_comparison_and_all_of_them_are_told():
    assert STATES == comparison.STATES
    found = judgement(finding(), replace(finding("shift"), function="app:load"))
    shown = series(ProfilesCollector(FakeContinuous(report(CPU, comparisons={"cpu": found}))))
    counted = {key[2]: value for key, value in shown.items() if key[0] == "profile_regressions"}
    assert {"confirmed": 1, "shift": 1, "transient": 0, "gone": 0} == counted


def test_what_a_recommendation_can_bring_is_told_where_a_bound_is_known():
    advice = Recommendation(
        rule="cpu-throttled", title="", severity="warning", target="process", claim="", evidence={},
        gain_upper_bound=0.4, gain_of="wall time", what_to_do="", how_to_verify="", wrong_when="",
    )  # fmt: skip
    unbounded = replace(advice, target="app:parse", gain_upper_bound=None)
    shown = series(ProfilesCollector(FakeContinuous(report(recommendations=(advice, unbounded)))))
    bounds = {key[1:]: value for key, value in shown.items() if key[0] == "profile_recommendation_impact_ratio"}
    assert {("cpu-throttled", "warning", "process"): 0.4} == bounds


def suspect(kind, site, unit, slope):
    return Suspect(
        kind=kind, site=site, unit=unit, first=1.0, last=2.0, begin=0.0, end=1.0, windows=12, p=0.001, slope=slope,
        slope_low=slope, slope_high=slope, settled=False, seconds_to_limit=float("inf"),
    )  # fmt: skip


def test_leak_suspects_are_counted_by_kind_and_their_slopes_are_told_by_site():
    suspects = {
        "rss": [suspect("rss", "", "bytes", 5000.0)],
        "objects": [suspect("objects", f"app.Type{number}", "objects", float(number)) for number in range(15)],
        "threads": [],
    }
    shown = series(ProfilesCollector(FakeContinuous(report(suspects=suspects))))
    assert (1, 15, 0) == tuple(shown["profile_leak_suspects", kind] for kind in ("rss", "objects", "threads"))
    assert 5000.0 == shown["profile_leak_slope_bytes_per_second", "rss", "process"]
    assert 7.0 == shown["profile_leak_slope_per_second", "objects", "app.Type7"]
    slopes = [key for key in shown if key[0] == "profile_leak_slope_per_second"]
    assert SITES == leaks.MOST == len(slopes)


@pytest.mark.parametrize("continuous", [None, FakeContinuous()])
def test_before_the_first_interval_and_when_switched_off_there_is_nothing_to_tell(continuous):
    collector = ProfilesCollector(continuous)
    with pytest.raises(NoData):
        collector.update()
    collector.start()
    collector.forked()
    collector.close()


def test_a_sampler_that_cannot_work_costs_only_this_collector(caplog):
    supervisor = Supervisor([ProfilesCollector(FakeContinuous(error=ProfileError("no sampler works here")))])
    supervisor.start()
    try:
        text = TEXT.render([supervisor]).decode()
    finally:
        supervisor.close()
    assert "profile_self_seconds_total{" not in text
    assert any("no sampler works here" in message for message in caplog.messages)


def test_switched_off_it_starts_nothing():
    collector = ALL["profiles"](Settings(profiling=False))
    before = set(threading.enumerate())
    collector.start()
    assert set() == set(threading.enumerate()) - before


def burn(stop):
    while not stop.is_set():
        sum(range(3000))


@needs_gil
def test_a_real_process_shows_its_busy_function_and_what_it_costs(tmp_path):
    settings = Settings(profiling=True, profile_interval=1.1, profile_directory=str(tmp_path), service_version="1.4")
    collector = ProfilesCollector(Profiling(settings).continuous)
    supervisor = Supervisor([collector], reuse=0)
    stop = threading.Event()
    worker = threading.Thread(target=burn, args=(stop,), name="burner")
    worker.start()
    supervisor.start()
    try:
        deadline, text = time.monotonic() + 90, ""
        while ":burn" not in text and time.monotonic() < deadline:
            time.sleep(0.1)
            text = TEXT.render([supervisor]).decode()
    finally:
        supervisor.close()
        stop.set()
        worker.join()
    assert 'function="test_profiles:burn"' in text or ':burn"' in text
    assert 'runtime_exporter_overhead_ratio{part="profiling"}' in text
    assert "runtime_exporter_profiler_backend_info{" in text
    assert collector.continuous.pipeline.store.entries("cpu", labels={"version": "1.4"})


def test_an_old_report_is_not_shown_again():
    seen = []
    collector = ProfilesCollector(FakeContinuous(report(CPU)))
    collector._metrics = [SimpleNamespace(family=SimpleNamespace(children={}, type="gauge"), labels=seen.append)]
    collector._rows = ((None, "", "", [], lambda _: seen.append("asked") or ()),)
    collector.update()
    collector.update()
    assert ["asked"] == seen


@pytest.mark.parametrize(
    ("interval", "alert"), [(1_700_000_060.0, 1_700_000_000.0), (1_700_000_000.0, 1_700_000_060.0)]
)
def test_the_last_profile_is_the_last_one_whether_an_interval_or_an_alert_took_it(interval, alert):
    kept = ("cpu", "kept")
    collector = ProfilesCollector(FakeContinuous(report(captures={kept: 7}, captured={kept: interval})))
    collector.captures = SimpleNamespace(counted=lambda: ({kept: 2}, {kept: alert}))
    shown = series(collector)

    assert (9, 1_700_000_060.0) == (
        shown[("profile_captures_total", *kept)],
        shown[("profile_last_capture_timestamp_seconds", *kept)],
    )
