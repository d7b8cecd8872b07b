"""What a scrape is measured on: the same series in both libraries, and traffic that is what it is called."""

from __future__ import annotations

import random
from contextlib import nullcontext

import pytest
from benchmarks import exposition
from benchmarks.figures import Goal
from benchmarks.harness import Timing
from benchmarks.promises import PARTS
from benchmarks.scraped import (
    EVERYTHING,
    LIBRARIES,
    NOTHING,
    OPENMETRICS,
    PEER,
    REQUESTS,
    SERVICE,
    SUBJECTS,
    TENTH,
    TEXT,
    TRAFFIC,
    US,
    WRITERS,
    Scraped,
    alternate,
)
from prometheus_client import disable_created_metrics, enable_created_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text


def samples(text, form):
    parse = parse_text if form == TEXT else parse_openmetrics
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }


@pytest.fixture
def _without_created():
    disable_created_metrics()
    yield
    enable_created_metrics()


@pytest.mark.usefixtures("_without_created")
@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("name", SUBJECTS)
def test_both_libraries_write_the_same_series_whatever_was_counted(name, form):
    subject = SUBJECTS[name]
    registries = {library: subject.build(module, 340) for library, module in LIBRARIES.items()}
    for traffic in TRAFFIC.values():
        for registry in registries.values():
            children = [*next(iter(registry._collector_to_names))._metrics.values()]
            numbers = random.Random(2)
            for number in traffic(len(children), numbers):
                subject.count(children[number], numbers)
        expected = samples(WRITERS[PEER, form](registries[PEER]), form)
        assert expected == samples(WRITERS[US, form](registries[US]), form)
        assert expected == samples(WRITERS[US, form](registries[PEER]), form)


@pytest.mark.parametrize(
    ("traffic", "least", "most"), [(NOTHING, 0, 0), (TENTH, 1_000, 1_000), (EVERYTHING, 10_000, 10_000)]
)
def test_so_many_of_10_000_children_change(traffic, least, most):
    assert least <= len({*TRAFFIC[traffic](10_000, random.Random(1))}) <= most


def test_the_requests_of_a_service_are_few_popular_ones_again_and_again_and_many_others_once():
    counted = [*TRAFFIC[SERVICE](10_000, random.Random(1))]
    times = sorted(map(counted.count, {*counted}), reverse=True)
    assert len(counted) == REQUESTS
    assert times[0] > REQUESTS / 15
    assert times.count(1) > len(times) / 2
    assert 500 < len(times) < 1_000


def test_a_process_is_scraped_after_traffic_and_says_what_the_writing_took():
    with Scraped(US, US, "counters", 50) as ours, Scraped(US, PEER, "histograms", 50) as own:
        timings = alternate({"ours": ours, "own": own}, OPENMETRICS, SERVICE, count=2)
    assert {"ours", "own"} == timings.keys()
    assert all(0 < seconds < 60 for timing in timings.values() for seconds in timing.seconds)


def test_the_goal_of_each_kind_and_format_is_of_a_promise_and_only_everything_is_apart(monkeypatch):
    monkeypatch.setattr(exposition, "_beside", lambda *_: nullcontext({}))
    monkeypatch.setattr(
        exposition,
        "alternate",
        lambda *_, **__: {name: Timing(name, (1.0, 1.0, 1.0)) for name in ("ours", "A/A", PEER)},
    )
    goals = [item for item in exposition.report(quick=True) if isinstance(item, Goal)]
    promises = [promise for _, part in PARTS for promise in part if promise.report == "exposition"]
    of = [next(promise for promise in promises if promise.concerns(goal.text)) for goal in goals]
    assert [4, 4, 2, 4] == [of.count(promise) for promise in promises]


class Recorded:
    """A process that says on which core it was scraped."""

    def __init__(self, cores):
        self.cores = cores

    def run_on(self, core):
        self.core = core

    def scrape(self, *_):
        self.cores.append(self.core)
        return 1.0


def test_all_of_a_round_run_on_one_core_and_of_the_next_on_another(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {4, 2})
    cores = []
    processes = {name: Recorded(cores) for name in ("ours", "A/A", PEER)}
    alternate(processes, TEXT, SERVICE, count=2)
    assert [2, 2, 2, 4, 4, 4, 2, 2, 2, 4, 4, 4] == cores
