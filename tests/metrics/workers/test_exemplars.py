"""Exemplars of several workers: whoever answers shows the newest of each bucket, and where there are none nothing is written."""

from __future__ import annotations

import json
import os
import time

import pytest
from prometheus_client.samples import Exemplar

from runtime_exporter.metrics import generate_latest
from runtime_exporter.metrics.exposition import OPENMETRICS
from runtime_exporter.metrics.workers import exemplars
from runtime_exporter.metrics.workers.exemplars import MOST, Exemplars, Place, own, show
from workers_in_tests import Pretended

NAME = "durations_seconds"


@pytest.fixture
def workers(tmp_path):
    return [Pretended(tmp_path) for _ in range(2)]


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("runtime_exporter.metrics.histogram.time.time", lambda: now[0])
    return now


def durations(worker):
    return worker.histogram(NAME, ["route"], buckets=(0.1, 1.0))


def tell(directory, *workers):
    for worker in workers:
        Exemplars(directory).write(int(worker.number), own(worker.store))


def shown(directory, merged):
    """What any process exposes: the traces by bucket."""
    families = merged.collected_families()
    show(families, Exemplars(directory).newest({}))
    lines = OPENMETRICS.render([*families]).decode().splitlines()
    return {line.partition('le="')[2].partition('"')[0]: line.partition(" # ")[2] for line in lines if " # " in line}


def test_the_newest_of_each_bucket_is_shown_whoever_had_it(tmp_path, workers, merged, clock):
    first, second = map(durations, workers)
    first.labels("/pay").observe(0.05, {"trace_id": "old"})
    first.labels("/pay").observe(0.5, {"trace_id": "slow"})
    clock[0] += 60
    second.labels("/pay").observe(0.06, {"trace_id": "new"})
    tell(tmp_path, *workers)

    assert {
        "0.1": '{trace_id="new"} 0.06 1060.000',
        "1.0": '{trace_id="slow"} 0.5 1000.000',
    } == shown(tmp_path, merged)
    assert b"trace_id" not in generate_latest(merged)


def test_a_counters_exemplar_is_shared_too_and_outlives_its_worker(tmp_path, workers, merged):
    workers[0].counter("orders", ["kind"]).labels("a").inc(1, {"trace_id": "counted"})
    workers[1].counter("orders", ["kind"]).labels("a").inc()
    tell(tmp_path, *workers)
    workers[0].die()

    (text,) = shown(tmp_path, merged).values()
    assert text.startswith('{trace_id="counted"} 1.0 ')
    assert {"0.exemplars"} == {one.name for one in tmp_path.glob("*.exemplars*")}


def test_without_exemplars_there_is_no_file(tmp_path, workers, merged):
    durations(workers[0]).labels("/pay").observe(0.05)
    tell(tmp_path, *workers)

    assert [] == [*tmp_path.glob("*.exemplars*")]
    assert {} == shown(tmp_path, merged)


def test_a_file_is_written_when_there_are_others_only(tmp_path, workers):
    histogram = durations(workers[0])
    histogram.labels("/pay").observe(0.05, {"trace_id": "one"})
    writer = Exemplars(tmp_path)
    writer.write(0, own(workers[0].store))
    before = (tmp_path / "0.exemplars").stat().st_ino
    writer.write(0, own(workers[0].store))
    assert before == (tmp_path / "0.exemplars").stat().st_ino
    histogram.labels("/pay").observe(0.05, {"trace_id": "two"})
    writer.write(0, own(workers[0].store))

    assert "two" in (tmp_path / "0.exemplars").read_text()


def test_a_reader_sees_what_was_written_since_and_reads_nothing_twice(tmp_path, monkeypatch):
    parsed, reads = exemplars._parsed, []
    monkeypatch.setattr(exemplars, "_parsed", lambda path: reads.append(path) or parsed(path))
    writer, reader = Exemplars(tmp_path), Exemplars(tmp_path)
    place = Place(NAME, ("/pay",), "0.1")
    for trace, times in (("one", 1), ("one", 1), ("two", 2)):
        told = {place: Exemplar({"trace_id": trace}, 0.05, 1000.0)}
        writer.write(0, told)
        assert told == reader.newest({})
        assert times == len(reads)
    (tmp_path / "0.exemplars").unlink()
    assert {} == reader.newest({})


@pytest.mark.parametrize(("mine", "shown"), [(999.0, "theirs"), (1000.0, "mine"), (1001.0, "mine")])
def test_of_ones_own_and_another_workers_the_newer_is_shown(tmp_path, mine, shown):
    place = Place(NAME, ("/pay",), "0.1")
    Exemplars(tmp_path).write(0, {place: Exemplar({"trace_id": "theirs"}, 0.05, 1000.0)})
    found = Exemplars(tmp_path).newest({place: Exemplar({"trace_id": "mine"}, 0.05, mine)})
    assert {"trace_id": shown} == found[place].labels


def test_there_are_at_most_so_many_of_a_worker_the_newest(tmp_path, workers, clock):
    histogram = durations(workers[0])
    for number in range(MOST + 10):
        clock[0] += 1
        histogram.labels(str(number)).observe(0.05, {"trace_id": str(number)})
    tell(tmp_path, workers[0])

    values = {row[1][0] for row in json.loads((tmp_path / "0.exemplars").read_text())}
    assert {str(number) for number in range(10, MOST + 10)} == values


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[["a",["b"],"0.1",7,1,2]]', b"[" * 100_000, b"\xff"])
def test_a_damaged_file_is_none(tmp_path, workers, merged, content):
    durations(workers[0]).labels("/pay").observe(0.05)
    (tmp_path / "7.exemplars").write_bytes(content)

    assert {} == shown(tmp_path, merged)


def test_what_another_version_has_no_bucket_for_is_left_out(tmp_path, workers, merged):
    durations(workers[0]).labels("/pay").observe(0.05)
    place = Place(NAME, ("/pay",), "0.25")
    Exemplars(tmp_path).write(1, {place: Exemplar({"trace_id": "x"}, 0.2, time.time())})

    assert {} == shown(tmp_path, merged)


def test_a_directory_that_cannot_be_written_leaves_nothing_half(tmp_path, workers, monkeypatch):
    durations(workers[0]).labels("/pay").observe(0.05, {"trace_id": "one"})
    monkeypatch.setattr(os, "fdopen", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        tell(tmp_path, workers[0])

    assert [] == [*tmp_path.glob("*.exemplars*")]
