"""Fake worlds: a /proc in a directory, a control group file system in another, clocks that are set."""

from __future__ import annotations

import pytest

# A command with all that makes parsing hard. Fields as proc_pid_stat(5) numbers them, from 3 on:
# 10 minflt, 12 majflt, 14 utime, 15 stime, 20 num_threads, 22 starttime, 23 vsize, 24 rss.
STAT = "4711 (ma) in (x) R 1 1 1 0 -1 0 111 0 7 0 250 50 0 0 20 0 9 0 6000 81920000 1000 0 0\n"
PROC = {
    "self/stat": STAT,
    "self/status": (
        "Name:\tpython\nVmPeak:\t  90000 kB\nVmHWM:\t   5000 kB\nVmRSS:\t   4000 kB\nRssAnon:\t   2500 kB\n"
        "RssFile:\t   1000 kB\nRssShmem:\t    500 kB\nVmStk:\t    132 kB\nVmSwap:\t     64 kB\nThreads:\t9\n"
    ),
    "self/io": "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 8192\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n",
    "self/limits": (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1024                 4096                 files     \n"
        "Max address space         unlimited            unlimited            bytes     \n"
    ),
    "self/smaps_rollup": "55d0-7ffd ---p 00000000 00:00 0    [rollup]\nRss:    4000 kB\nPss:    3000 kB\nPss_Dirty:  1 kB\n",
    "self/comm": "python\n",
    "self/fd/0": "",
    "self/fd/1": "",
    "self/fd/2": "",
    "self/task/4711/stat": STAT,
    "self/task/4711/comm": "python\n",
    "stat": (
        "cpu  30 0 30 300 0 0 0 0 0 0\ncpu0 10 1 20 100 5 2 3 4 0 0\ncpu1 20 2 10 200 6 0 0 0 0 0\n"
        "intr 1 2 3\nctxt 5\nbtime 1700000000\nprocesses 9\n"
    ),
    "meminfo": "MemTotal:       16000 kB\nMemFree:         100 kB\nMemAvailable:    8000 kB\n",
    "loadavg": "1.25 0.50 0.25 2/300 4711\n",
}


class Tree:
    """Files in a directory, written and removed by their path."""

    def __init__(self, root):
        self.root = root

    def __str__(self):
        return str(self.root)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def remove(self, path):
        (self.root / path).unlink()


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def proc(tmp_path):
    """A /proc with one process in it."""
    tree = Tree(tmp_path / "proc")
    for path, text in PROC.items():
        tree.write(path, text)
    return tree


@pytest.fixture
def cgroups(tmp_path):
    """An empty control group file system."""
    tree = Tree(tmp_path / "cgroup")
    tree.root.mkdir()
    return tree


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def values():
    """Every sample of a collector that would be exposed: text of name and labels -> value."""

    def read(collector):
        return {
            sample.name
            + (
                "{" + ",".join(f"{k}={v}" for k, v in sample.labels.items()) + "}" if sample.labels else ""
            ): sample.value
            for family in collector.families
            for metric in family.collect()
            for sample in metric.samples
        }

    return read
