"""What all workers did as one: one of them at a time looks at all, and says it to whoever is asked."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from runtime_exporter.profiling.advice import RULES, Evidence, Facts
from runtime_exporter.profiling.advice.values import Claimed
from runtime_exporter.profiling.assembly import joint
from runtime_exporter.profiling.joint import taken
from runtime_exporter.profiling.kept import Kept
from runtime_exporter.profiling.pastfiles import PastFiles
from runtime_exporter.profiling.pipeline import Report
from runtime_exporter.profiling.process import shared_store
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.verdict import Verdicts
from runtime_exporter.settings import Settings

SECOND = 10**9
HOUR = 1_795_312_800  # 2026-11-22T02:00:00Z
MAIN, BUSY, SLOW = Frame("shop:main", "/m.py", 1), Frame("shop:busy", "/shop.py", 7), Frame("shop:slow", "/shop.py", 17)
PARSE = Frame("re:_compile", "/usr/lib/python3.11/re/__init__.py", 280)


class Service:
    """Workers that leave profiles, and the time by which all of them go."""

    def __init__(self, directory):
        self.now = HOUR + 6.0  # when the first interval has settled
        self.cost = 0.01
        self.directory = directory
        self.settings = Settings(run_directory=str(directory), profile_comparison_windows=2, profile_baseline_windows=4)
        self.verdicts = Verdicts(directory / "profiles")
        self.spent = 0.0

    def worker(self, number):
        store = shared_store(self.directory, 60.0, lambda: number)
        store._clock = lambda: self.now
        one = joint(self.settings, store, self.verdicts, worker=lambda: number, budget=lambda: 0.005)
        one._now, one._cpu = (lambda: self.now), self._cpu
        return store, one

    def _cpu(self):
        self.spent += self.cost
        return self.spent

    def leave(self, store, busy=30, slow=1, compiling=0):
        """Have a worker leave its profile of the minute that ended six seconds ago."""
        spent = (((BUSY, MAIN), busy), ((SLOW, MAIN), slow))
        rows = [(stack, (20 * seconds, seconds * SECOND), ()) for stack, seconds in spent if seconds]
        rows += [((PARSE, SLOW, MAIN), (20 * compiling, compiling * SECOND), ())] if compiling else []
        comments = ("backend thread, bias ratio 0.020", "looks 1200, truncated 0, dropped 0")
        begin = round(self.now - 66) * SECOND
        store.put(build("cpu", rows, time_nanos=begin, duration_nanos=60 * SECOND, comments=comments), "cpu")

    def minute(self):
        self.now += 60

    def go_on(self, minutes, one, *stores, **left):
        """Let minutes go by: in each of them every worker leaves its profile, and then `one` looks at all."""
        for _ in range(minutes):
            for store in stores:
                self.leave(store, **left)
            one.turn()
            self.minute()


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path)


def test_an_interval_of_all_workers_is_the_sum_of_what_they_left(service):
    stores = [service.worker(number)[0] for number in (0, 1)]
    service.leave(stores[0], busy=30, slow=2)
    service.leave(stores[1], busy=10, slow=4)

    (slot,) = Kept(stores[0]).slots()
    whole, each = taken(stores[0], slot)

    assert ((0, 1), HOUR - 60, HOUR) == (slot.workers, whole.begin, whole.end)
    assert ("thread", False, 0.02, 2400) == (whole.backend, whole.unbiased, whole.bias_ratio, whole.samples)
    assert 46 * SECOND == whole.profiles["cpu"].total(1)
    assert 2 == len(whole.profiles["cpu"].samples)  # a stack is one, whoever was in it
    assert [0, 1] == [number for number, _ in each]


def test_an_interval_that_others_have_not_left_yet_is_waited_for(service):
    store, _ = service.worker(0)
    service.leave(store)
    service.now -= 3
    assert [] == Kept(store).slots()


def test_one_worker_looks_at_all_and_another_one_only_when_that_says_nothing_any_more(service):
    (store, first), (_, second) = service.worker(0), service.worker(1)
    service.leave(store)
    second.turn()
    first.turn()
    assert 1 == service.verdicts.read().by
    service.minute()
    service.go_on(3, first, store)  # the second one hangs
    assert (1, HOUR) == (service.verdicts.read().by, service.verdicts.read().until)
    service.go_on(1, first, store)
    assert (0, HOUR + 240) == (service.verdicts.read().by, service.verdicts.read().until)
    second.turn()
    assert second._pipeline is None  # and remembers nothing


def test_a_regression_of_all_is_found_where_each_worker_has_too_few_samples(service):
    (store, first), (other, _) = service.worker(0), service.worker(1)
    service.go_on(8, first, store, other)
    service.go_on(8, first, store, other, slow=20)
    judgement = service.verdicts.read().comparisons["cpu"]
    assert [("shop:slow", "confirmed")] == [(one.function, one.state) for one in judgement.comparison.findings]
    assert "rolling" == judgement.comparison.baseline


def test_who_looks_at_all_next_goes_on_with_the_past_of_the_one_before(service):
    store, first = service.worker(0)
    service.go_on(14, first, store)
    for file in (service.directory / "profiles").glob("*.pb.gz"):
        file.unlink()  # as those of a busy service are after half an hour
    store, successor = service.worker(0)
    service.go_on(8, successor, store, slow=20)
    comparison = service.verdicts.read().comparisons["cpu"].comparison
    assert [("shop:slow", "confirmed")] == [(one.function, one.state) for one in comparison.findings]


def test_what_is_in_the_past_already_is_not_counted_twice(service):
    store, first = service.worker(0)
    service.go_on(14, first, store)
    known = past(service)
    _, successor = service.worker(0)
    service.leave(store)
    successor.turn()
    assert known <= past(service) <= known + 4  # it has compared some of those that were waiting


def past(service):
    return sum(one.windows for one in PastFiles(service.directory / "profiles" / "past").read())


def test_a_successor_waits_until_what_the_one_before_has_spent_is_made_up_for(service):
    store, first = service.worker(0)
    service.leave(store)
    service.cost = 2.0
    first.turn()
    _, successor = service.worker(0)
    service.minute()
    for _ in range(10):
        assert HOUR == service.verdicts.read().until
        service.go_on(1, successor, store)
    assert HOUR + 600 == service.verdicts.read().until


def test_advice_on_profiles_names_the_workers_that_were_seen_there(service):
    (store, first), (other, _) = service.worker(0), service.worker(1)
    service.leave(store, compiling=30)
    service.go_on(1, first, other, slow=0)
    (row,) = service.verdicts.read().recommendations
    assert ("regex-compile", "shop:slow", [0]) == (row["rule"], row["target"], row["workers"])
    service.go_on(1, first, store, other, compiling=30)
    (row,) = service.verdicts.read().recommendations
    assert [0, 1] == row["workers"]


def test_where_there_is_not_enough_for_all_intervals_some_in_a_row_are_looked_at(service):
    store, first = service.worker(0)
    service.leave(store)
    service.cost = 0.5  # of 0.3 s a minute
    first.turn()
    assert 500.0 == pytest.approx(service.verdicts.read().due - service.now)
    service.minute()
    for _ in range(9):
        assert HOUR == service.verdicts.read().until
        service.go_on(1, first, store)
    assert HOUR + 540 == service.verdicts.read().until
    assert 1 + 5 == len(first._functions)


def test_however_much_it_costs_all_are_looked_at_now_and_then(service):
    store, first = service.worker(0)
    service.leave(store)
    service.cost = 20.0
    first.turn()
    assert 600.0 == pytest.approx(service.verdicts.read().due - service.now)


def test_of_comparisons_and_of_advice_on_profiles_every_worker_tells_those_on_all(service):
    (store, first), (_, second) = service.worker(0), service.worker(1)
    service.leave(store, compiling=30)
    first.turn()
    about_it = replace(first._pipeline.report.recommendations[0], rule="gc-cost", target="process")
    mine = replace(about_it, rule="json-stdlib")
    own = Report(comparisons={"cpu": "its own"}, recommendations=[about_it, mine])

    for one in (first, second):
        told = one.series(own)
        assert ({}, ["gc-cost", "regex-compile"]) == (told.comparisons, [each.rule for each in told.recommendations])
        assert told is one.series(own)  # or a scrape would write it anew
    service.now += 3600  # nobody has looked for long
    assert [about_it] == [*first.series(own).recommendations]


def test_where_nothing_can_be_left_each_worker_tells_for_itself(service):
    store, first = service.worker(0)
    (service.directory / "profiles").write_text("in the way")
    service.leave(store)
    own = Report(comparisons={"cpu": "its own"})
    assert first.series(own) is own
    _, alone = service.worker(None)
    assert alone.series(own) is own


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"form": 2}', '{"form": 1}', '{"form": 1, "by": 0, "until": 1, "due": 1, "comparisons": 3}'],
)
def test_a_file_that_is_none_of_ours_is_as_if_there_were_none(tmp_path, text):
    (tmp_path / "together.json").write_text(text)
    assert None is Verdicts(tmp_path).read()


def test_a_verdict_is_read_as_it_was_written(service):
    store, first = service.worker(0)
    service.leave(store, compiling=30)
    first.turn()
    written = json.loads((service.directory / "profiles" / "together.json").read_bytes())
    read = Verdicts(service.directory / "profiles").read()
    assert (written["by"], written["until"], written["due"]) == (read.by, read.until, read.due)
    assert written["recommendations"] == [*read.recommendations]


class Looking:
    """Facts that tell when they are looked at."""

    def __init__(self):
        self.looked = False

    def __getattr__(self, name):
        self.looked = name in {one.name for one in fields(Facts)}
        return () if name in {"pools", "suspects"} else None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_reads_facts_says_so_since_several_processes_have_no_such_facts_together(rule):
    evidence = Evidence(language="python", window=60.0)
    object.__setattr__(evidence, "facts", facts := Looking())
    list(rule.judge(evidence, Claimed()))
    assert rule.of_one_process or not facts.looked
