"""Workers that are killed with -9 at any moment, under load: nothing that was counted is lost, nothing is seen half.

SOAK_SECONDS in the environment says how long; without it it is a few seconds.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import time
import traceback

import pytest

from runtime_exporter import metrics
from runtime_exporter.metrics import workers
from runtime_exporter.metrics.workers import ending
from workers_in_tests import samples

SECONDS = float(os.environ.get("SOAK_SECONDS", "6"))
WORKERS, READERS = 4, 2
SERIES = ("a", "b", "c")

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.timeout(SECONDS * 2 + 120),
]


class Board:
    """Numbers that all processes of a test see: what each worker knows to have counted."""

    def __init__(self, places):
        self._buffer = mmap.mmap(-1, places * 8)
        self.cells = memoryview(self._buffer).cast("q")

    def total(self):
        return sum(self.cells)


def forked(work):
    """Start a process that does `work` and return its id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def count_for_ever(directory, board, place, seed):
    """Count, say so, count: with series that come and go, and folding at any time."""
    chance = random.Random(seed)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    worker = workers.join(directory)
    worker.at_work()
    count = metrics.Counter("killed_c", "C", registry=None)
    parts = metrics.Counter("killed_parts", "P", ["part"], registry=None)
    sizes = metrics.Histogram("killed_h", "H", ["part"], registry=None, buckets=(0.5, 1, 2))
    sums = metrics.Summary("killed_s", "S", registry=None)
    level = metrics.Gauge("killed_g", "G", ["part"], registry=None, multiprocess_mode="livesum")
    done = 0
    while True:
        for _ in range(chance.randint(1, 50)):
            part = chance.choice(SERIES)
            count.inc()
            parts.labels(part).inc()
            sizes.labels(part).observe(1.0)
            sums.observe(1.0)
            done += 1
            board.cells[place] = done
        if chance.random() < 0.1:
            level.labels(str(chance.randint(0, 5))).set(1)
            level.remove(str(chance.randint(0, 5)))
        if chance.random() < 0.05:
            worker.tick()


def whole(found):
    """Say what is wrong with one exposition."""
    for part in SERIES:
        pair = found.get(f'killed_h_count{{part="{part}"}}', 0), found.get(f'killed_h_sum{{part="{part}"}}', 0)
        assert pair[0] == pair[1] == found.get(f'killed_h_bucket{{le="1.0",part="{part}"}}', pair[0]), (part, pair)
    assert found.get("killed_s_count") == found.get("killed_s_sum")


def read_for_ever(directory, stop):
    """Scrape again and again: no observation is half, and nothing that counts goes back."""
    merged = workers.Merged(directory)
    last, gone = {}, dict.fromkeys(ending.ENDS, 0)
    stopped = False
    while not stopped:
        stopped = bool(stop.cells[0])  # before it looks, so that the last look sees all
        now = samples(merged)
        whole(now)
        counting = {name: value for name, value in now.items() if name.endswith(("_total", "_count", "_sum", "}"))}
        counting = {name: value for name, value in counting.items() if not name.startswith("killed_g")}
        for name, value in last.items():
            assert counting.get(name, -1) >= value, (name, value, counting.get(name))
        last = {name: value for name, value in counting.items() if name.startswith("killed")}
        ends = merged.ends()
        assert [] == [how for how in ends if ends[how] < gone[how]]
        gone = ends
    assert last["killed_c_total"] > 0


def test_nothing_that_was_counted_is_lost_or_seen_half_when_workers_are_killed(tmp_path):
    directory = tmp_path
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    print("seed", seed)
    board, stop = Board(100_000), Board(1)
    readers = [forked(lambda: read_for_ever(directory, stop)) for _ in range(READERS)]
    living, place, kills = {}, 0, 0
    merged = workers.Merged(directory)
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end or kills < SECONDS / 3:
            while len(living) < WORKERS:
                pid = forked(lambda place=place: count_for_ever(directory, board, place, seed + place))
                living[pid] = place
                place += 1
            time.sleep(chance.uniform(0, 0.05))
            victim = chance.choice([*living])
            del living[victim]
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            kills += 1
            acknowledged = board.total()
            found = samples(merged)
            # Each worker may have counted one that it has not written on the board yet.
            assert acknowledged <= found.get("killed_c_total", 0) <= board.total() + place
            parts = sum(value for name, value in found.items() if name.startswith("killed_parts_total"))
            assert acknowledged <= parts <= board.total() + place
            whole(found)
    finally:
        for pid in living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        stop.cells[0] = 1
        ends = [os.waitpid(pid, 0)[1] for pid in readers]
    assert [0] * READERS == ends
    samples(merged)  # folds who is still there
    found, ends = samples(merged), merged.ends()
    merged.close()
    # Who was killed before it was at work, or had files, said nothing.
    assert (0, merged.states()["retired"]) == (ends["left"], ends["died"] + ends["unknown"])
    assert sum(done > 0 for done in board.cells) <= ends["died"] <= place
    assert board.total() <= found["killed_c_total"] <= board.total() + place
    assert {"retired", "fold.lock"} == {path.name for path in directory.iterdir() if path.suffix != ".worker"}
    assert len([*directory.iterdir()]) <= WORKERS + 3
