"""How a process ended, as far as it could say so before: who was killed is told from who left, and from who may have been asked to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runtime_exporter.metrics import workers
from runtime_exporter.metrics.cells import CellStore
from runtime_exporter.metrics.workers import ending, folding, journal, retired, slots
from workers_in_tests import Pretended

PROGRAM = """
import faulthandler, multiprocessing, os, signal, sys, time
from pathlib import Path
from runtime_exporter.metrics import workers

def handled(): signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
def ignored(): signal.signal(signal.SIGTERM, signal.SIG_IGN)
def send(number):
    os.kill(os.getpid(), number)
    time.sleep(60)
def fail(): raise ValueError("on purpose")
def working(before=lambda: None):
    before()
    workers.join(directory).at_work()
def process(target, kind="fork"):
    child = multiprocessing.get_context(kind).Process(target=target)
    child.start()
    child.join()
def work_and(then, before=lambda: None):
    def work():
        working(before)
        then()
    return work
def terminated():
    pause, ready = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=work_and(lambda: (ready.send(1), time.sleep(60))))
    child.start()
    pause.recv()
    child.terminate()
    child.join()
def spawned(): working()
def failing(): work_and(fail)()

WAYS = {
    # what it does: how it counts
    "left at its end": lambda: working(),
    "left by sys.exit": work_and(lambda: sys.exit(3)),
    "left at a SIGTERM that it handles": work_and(lambda: send(signal.SIGTERM), handled),
    "left at a SIGINT": work_and(lambda: send(signal.SIGINT)),
    "left before, and was killed": work_and(lambda: (workers.current().leave(), os._exit(1)), handled),
    "left while its server said so, and got a SIGTERM": work_and(
        lambda: (workers.current().ends("left"), signal.signal(signal.SIGTERM, signal.SIG_DFL), send(signal.SIGTERM)), handled),
    "left as a process of multiprocessing": lambda: process(working),
    "left as a worker that multiprocessing forked": lambda: (working(), process(lambda: workers.current().tick())),
    "left as one that multiprocessing spawned": lambda: process(spawned, "spawn"),
    "left by sys.exit in a process of multiprocessing": lambda: process(work_and(lambda: sys.exit(3))),
    "died of kill -9": work_and(lambda: send(signal.SIGKILL), handled),
    "died of kill -9, ignoring SIGTERM": work_and(lambda: send(signal.SIGKILL), ignored),
    "died by os._exit": work_and(lambda: os._exit(0), handled),
    "died in C": work_and(lambda: (faulthandler.disable(), send(signal.SIGSEGV)), handled),
    "died of an exception": work_and(fail),
    "died of an exception in a process of multiprocessing": lambda: process(work_and(fail)),
    "died of an exception in a worker that multiprocessing forked": lambda: (
        working(handled), process(lambda: (workers.current().tick(), fail())), os._exit(0)),
    "died of an exception in one that multiprocessing spawned": lambda: process(failing, "spawn"),
    "died though it left later": work_and(lambda: workers.current().ends("died")),
    "unknown: a SIGTERM ends it": work_and(lambda: send(signal.SIGTERM)),
    "unknown: a SIGTERM would have": work_and(lambda: send(signal.SIGKILL)),
    "unknown: multiprocessing terminates it": terminated,
    "unknown: it never worked": lambda: (handled(), workers.join(directory), os._exit(0)),
}
if __name__ == "__main__":
    if len(sys.argv) > 2:
        print("\\n".join(WAYS))
        sys.exit()
    for number, way in enumerate(WAYS):
        child = os.fork()
        directory = Path(sys.argv[1]) / str(number)
        if child == 0:
            directory.mkdir()
            os.environ["DIRECTORY"] = str(directory)
            WAYS[way]()
            sys.exit()
        os.waitpid(child, 0)
elif "DIRECTORY" in os.environ:
    directory = Path(os.environ["DIRECTORY"])
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """What each of many processes counts as that ended in their ways, by what they did."""
    place = tmp_path_factory.mktemp("ended")
    program = place / "program.py"
    program.write_text(PROGRAM)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), str(place)], capture_output=True, text=True, timeout=120
    )
    ways = subprocess.run([sys.executable, str(program), "", "list"], capture_output=True, text=True, timeout=60)
    return {way: (ends_of(place / str(number)), run.stderr) for number, way in enumerate(ways.stdout.splitlines())}


def ends_of(directory):
    merged = workers.Merged(directory)
    merged.collected_families()
    merged.collected_families()  # what the first one folded
    ends = {how: count for how, count in merged.ends().items() if count}
    merged.close()
    return ends


@pytest.mark.parametrize("how", ending.ENDS)
def test_a_process_counts_as_what_it_did(ended, how):
    found = {way: said for way, said in ended.items() if way.startswith(how)}
    assert found
    assert {} == {way: said for way, said in found.items() if said[0].keys() != {how}}


def test_every_end_is_counted_once_and_for_good(tmp_path):
    merged = workers.Merged(tmp_path)
    for number in range(3):
        alive, dying, leaving = (Pretended(tmp_path) for _ in range(3))
        dying.store.journal.end(ending.DIED)
        leaving.worker.ends(ending.LEFT)
        for each in (alive, dying, leaving):
            each.die()
        for _ in range(3):
            merged.collected_families()
            folding.fold(tmp_path)
        assert {"left": number + 1, "died": number + 1, "unknown": number + 1} == merged.ends()
    assert 9 == merged.states()["retired"]
    merged.close()


def test_the_first_word_about_the_end_stands_and_being_at_work_does_not_take_it_back(tmp_path):
    worker = Pretended(tmp_path)
    worker.worker.ends(ending.DIED)
    worker.worker.ends(ending.LEFT)
    worker.worker.at_work()
    worker.die()
    assert {"died": 1} == ends_of(tmp_path)


def test_what_was_said_is_still_said_by_a_log_that_was_written_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LONG", 1)
    worker = Pretended(tmp_path)
    worker.worker.ends(ending.LEFT)
    worker.store.journal.shorten()
    worker.counter("c").inc()
    worker.die()
    assert {"left": 1} == ends_of(tmp_path)


def test_a_file_of_the_dead_without_their_ends_is_read_as_ever(tmp_path):
    slot = slots.take(tmp_path)
    journal.Journal(tmp_path, slot.name, CellStore()).close()
    slot.close()
    folding.fold(tmp_path)
    before = retired.read(tmp_path)
    old = retired.log.encode("folded", before.folded, before.deaths, before.since)
    head = retired._HEAD.pack(retired._MAGIC, before.generation, len(old), 0, retired.crc32(old))
    (tmp_path / "retired").write_bytes(head + old)
    found = retired.read(tmp_path)
    assert (1, {}) == (found.deaths, found.ends)


@pytest.mark.parametrize(
    ("status", "silence"),
    [
        ("SigIgn:\t0000000000000000\nSigCgt:\t0000000000004000\n", ending.DIED),
        ("SigIgn:\t0000000000004000\nSigCgt:\t0000000000000000\n", ending.DIED),
        ("SigBlk:\t0000000000004000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000002002\n", ending.UNKNOWN),
    ],
    ids=["handled", "ignored", "neither"],
)
def test_silence_means_what_the_kernel_says_of_sigterm(tmp_path, status, silence):
    (tmp_path / "status").write_text(status)
    assert silence == ending.silence(tmp_path / "status")


def test_silence_means_what_python_says_of_sigterm_where_there_is_no_proc(tmp_path, monkeypatch):
    monkeypatch.setattr(ending.signal, "getsignal", lambda _: ending.signal.SIG_DFL)
    assert ending.UNKNOWN == ending.silence(tmp_path / "none")
    monkeypatch.setattr(ending.signal, "getsignal", lambda _: print)
    assert ending.DIED == ending.silence(tmp_path / "none")
