"""A service of which everything comes and goes, for twenty simulated minutes: nothing stays behind."""

from benchmarks.soak import growth, soaked


def test_growth_is_the_last_quarter_over_the_second():
    flat, leak = [50.0] * 4 + [100.0] * 12, [100.0 + hour for hour in range(40)]

    assert (1.0, 1.0, 1.0) == tuple(vars(growth(flat)).values())
    assert 1.15 < growth(leak).middle < 1.25


def test_labels_threads_tasks_requests_and_workers_that_come_and_go_leave_nothing_behind():
    looks, left = soaked(hours=1 / 3, seconds=1.0, every=5, profiled=False)
    warm, last = looks[1], looks[-1]

    assert () == left
    assert 20 == round(60 * last.hours)
    assert last.workers - warm.workers >= 5
    # A series that is gone leaves some five blocks in who reads the workers' files, until the log of 1 MiB is written anew. Of each
    # series that stayed there would be ten more, of each request, thread or task one: 400, 120 and 300 in ten minutes.
    removed = 10 * 20 * 3
    assert last.blocks - warm.blocks < 6 * removed
    assert abs(last.series - warm.series) <= 30
    assert abs(last.descriptors - warm.descriptors) <= 2
    assert last.threads <= warm.threads + 1
    assert last.shared <= 12
    assert last.resident - warm.resident < 8 << 20
