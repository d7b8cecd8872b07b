"""Two processes that share a run directory: what each counts is found by any."""

from __future__ import annotations

import pytest

from runtime_exporter import metrics
from runtime_exporter.metrics import workers
from workers_in_tests import Fork, samples

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_counters_and_histograms_of_parent_and_child_are_added_up(directory):
    count = metrics.Counter("together_c", "C", ["a"], registry=None)
    sizes = metrics.Histogram("together_h", "H", registry=None, buckets=(1, 2))
    count.labels("x").inc(5)
    worker = workers.join(directory)
    sizes.observe(0.5)

    def child():
        count.labels("x").inc(10)
        count.labels("y").inc(3)
        sizes.observe(1.5)

    with Fork(child):
        merged = workers.Merged(directory)
        found = samples(merged)
        assert {"live": 2, "dead": 0, "retired": 0} == merged.states()
    assert (15.0, 3.0) == (found['together_c_total{a="x"}'], found['together_c_total{a="y"}'])
    assert (1.0, 2.0, 2.0, 2.0) == tuple(
        found[name]
        for name in ('together_h_bucket{le="1.0"}', 'together_h_bucket{le="2.0"}', "together_h_count", "together_h_sum")
    )
    worker.tick()
    assert found == {**found, **{name: samples(merged)[name] for name in found if name.startswith("together")}}
    assert {"live": 1, "dead": 0, "retired": 1} == merged.states()
    merged.close()


def test_joining_twice_is_joining_once_and_another_directory_is_refused(directory, tmp_path_factory):
    worker = workers.join(directory)
    assert workers.join(directory) is worker is workers.current()
    with pytest.raises(workers.RunDirectoryError, match="already"):
        workers.join(tmp_path_factory.mktemp("other"))


def test_a_child_never_writes_into_what_its_parent_counts(directory):
    count = metrics.Counter("apart_c", "C", registry=None)
    workers.join(directory)
    count.inc(2)
    with Fork(lambda: count.inc(40)):
        assert 2.0 == count.value()


def test_a_missing_directory_is_an_error_of_one_line_and_changes_nothing(tmp_path):
    count = metrics.Counter("alone_c", "C", registry=None)
    with pytest.raises(workers.RunDirectoryError, match="must be a directory that exists") as caught:
        workers.join(tmp_path / "missing")
    assert "\n" not in str(caught.value)
    count.inc()
    assert (1.0, None) == (count.value(), workers.current())


def test_files_are_of_their_owner_alone(directory):
    workers.join(directory)
    assert {0o600} == {path.stat().st_mode & 0o777 for path in directory.iterdir()}


def test_a_child_of_more_cells_than_a_segment_has_leaves_room_for_whole_pages_behind_it(directory):
    large = metrics.Histogram("together_large", "L", registry=None, buckets=range(9_001))
    after = metrics.Counter("together_after", "A", ["number"], registry=None)
    workers.join(directory)
    large.observe(9_000)
    for number in range(5_000):
        after.labels(str(number)).inc()

    found = samples(workers.Merged(directory))

    assert 1.0 == found["together_large_count"]
    assert 5_000.0 == sum(value for name, value in found.items() if name.startswith("together_after_total"))
