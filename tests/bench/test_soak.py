"""A service of which everything comes and goes, for twenty simulated minutes: nothing stays behind."""

from benchmarks import soak
from benchmarks.figures import Figure, Goal
from benchmarks.results import judge
from benchmarks.soak import Soaked, growth, soaked
from benchmarks.soaked import Look


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
    # A series that is gone leaves some six blocks in who reads the workers' files, until the log of 1 MiB is written anew. Of each
    # series that stayed there would be ten more.
    removed = 10 * 20 * 3
    assert last.blocks - warm.blocks < 10 * removed
    assert abs(last.series - warm.series) <= 30
    assert abs(last.descriptors - warm.descriptors) <= 2
    assert last.threads <= warm.threads + 1
    assert last.shared <= 12
    assert last.resident - warm.resident < 8 << 20


def test_what_grows_is_told_by_the_report(monkeypatch):
    def look(hour, blocks):
        return Look(hour, 80_000_000, blocks, 30, 5, 4000, 200, 2_000_000, 6, 400_000, round(30 * hour))

    def verdicts(blocks_an_hour, left=()):
        looks = tuple(look(quarter / 4, 300_000 + blocks_an_hour * quarter // 4) for quarter in range(1, 97))
        monkeypatch.setattr(soak, "soaked", lambda **_: Soaked(looks, left))
        items = [*soak.report(quick=False)]
        figures = tuple(item for item in items if isinstance(item, Figure))
        return {item.text: judge(item, figures).verdict for item in items if isinstance(item, Goal)}

    assert {"HOLDS"} == set(verdicts(10).values())
    leaking = {text for text, verdict in verdicts(5000, ("runtime-exporter-web",)).items() if verdict != "HOLDS"}
    assert {
        "blocks of Python's allocator: the last quarter over the second: at most 1.05",
        "close() leaves no thread",
    } == leaking
