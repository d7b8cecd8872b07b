"""Processes that a program makes by itself, forked or spawned, as workers of one service: each of their counts is in the sum."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tools import free_port

PROGRAM = """
import multiprocessing, os, sys, threading
import runtime_exporter
from runtime_exporter.metrics import Counter, Histogram

HITS = Counter("hits_total", "Hits.", ["kind"]).labels("x")
SIZES = Histogram("sizes", "Sizes.")

def count(times):
    for _ in range(times):
        HITS.inc()
        SIZES.observe(1)

def fork_and_count(times):
    pid = os.fork()
    if pid == 0:
        count(times)
        os._exit(0)
    os.waitpid(pid, 0)

def processes(way):
    made = [multiprocessing.get_context(way).Process(target=count, args=(50,)) for _ in range(4)]
    for each in made:
        each.start()
    for each in made:
        each.join()

def threads():
    busy = [threading.Thread(target=count, args=(2000,)) for _ in range(2)]
    forking = [threading.Thread(target=lambda: [fork_and_count(10) for _ in range(10)]) for _ in range(2)]
    for each in (*busy, *forking):
        each.start()
    for each in (*busy, *forking):
        each.join()

def pools(way):
    with multiprocessing.get_context(way).Pool(2, maxtasksperchild=2) as pool:
        pool.map(count, [10] * 12, chunksize=1)

if __name__ == "__main__":
    runtime_exporter.start()
    count(5)
    do, *arguments = sys.argv[1:]
    globals()[do](*arguments)
    print("done", flush=True)
    sys.stdin.read()
"""
COUNTED = {
    ("processes", "fork"): 5 + 4 * 50,
    ("processes", "spawn"): 5 + 4 * 50,
    ("processes", "forkserver"): 5 + 4 * 50,
    ("pools", "fork"): 5 + 12 * 10,
    ("threads",): 5 + 2 * 2000 + 2 * 10 * 10,
}


@pytest.mark.parametrize("what", COUNTED, ids=" ".join)
def test_what_processes_count_that_come_and_go_is_in_the_sum(tmp_path, what):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "run").mkdir()
    port = free_port()
    environ = {
        **os.environ,
        "RUNTIME_EXPORTER_RUN_DIRECTORY": str(tmp_path / "run"),
        "RUNTIME_EXPORTER_PORT": str(port),
        "PYTHONWARNINGS": "ignore::DeprecationWarning",  # Python 3.12 warns of a fork where there are threads
    }
    command = [sys.executable, "program.py", *what]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout.readline() == "done\n"
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        program.stdin.close()
        program.wait(20)
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in ("hits_total", "sizes_count", "sizes_sum")
    }
    assert dict.fromkeys(("hits_total", "sizes_count", "sizes_sum"), COUNTED[what]) == found
