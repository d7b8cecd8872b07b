"""Against the original: what `go tool pprof` says of a profile, and what it says of the same one read and written by us."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from go_tools import require_go
from runtime_exporter.profiling.arithmetic import merge, scale, subtract
from runtime_exporter.profiling.pprof import decode, encode
from runtime_exporter.profiling.profile import Frame, Label, Sample, build, frames

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TESTDATA = Path(__file__).parent / "testdata"
KINDS = ["allocs", "block", "cpu", "goroutine", "goroutineleak", "heap", "mutex", "threadcreate"]
# pprof's own names of the units, so that it prints whole numbers.
UNITS = {"nanoseconds": "ns", "bytes": "B", "count": ""}


@pytest.fixture(scope="session")
def go():
    return require_go()


@pytest.fixture(scope="session")
def fresh(go, tmp_path_factory):
    """A directory of profiles that this machine's Go has just taken of the workload."""
    directory = tmp_path_factory.mktemp("go")
    program = directory / "workload"
    go.run("build", "-trimpath", "-o", str(program), ".", cwd=TESTDATA / "workload")
    subprocess.run([program, directory, "2"], check=True, capture_output=True, timeout=60)
    return directory


@pytest.fixture(scope="session", params=["kept", "fresh"])
def directory(request):
    return TESTDATA if request.param == "kept" else request.getfixturevalue("fresh")


def top_of_pprof(go, path, sample_type, unit):
    """Function -> (flat, cum) as -top prints it, and the total; nothing left out for being small."""
    options = [
        "-nodecount=1000000",
        "-nodefraction=0",
        "-edgefraction=0",
        f"-sample_index={sample_type}",
        f"-unit={unit}",
    ]
    out = go.pprof("-top", *(option for option in options if option != "-unit="), str(path))
    rows = re.findall(
        r"^ *(-?\d+)\w* +\S+% +\S+% +(-?\d+)\w* +\S+% +(.*?)(?: \((?:partial-)?inline\))?$", out, re.MULTILINE
    )
    (total,) = re.findall(r"of (-?\d+)\w* total$", out, re.MULTILINE)
    return {name: (int(flat), int(cum)) for flat, cum, name in rows}, int(total)


def top_of_ours(profile, index):
    flat, cum = Counter(), Counter()
    for sample in profile.samples:
        names = [frame.name for frame in frames(sample)]
        flat.update({names[0]: sample.values[index]} if names else {})
        cum.update(dict.fromkeys(names, sample.values[index]))
    return {name: (flat[name], cum[name]) for name in cum if cum[name] or flat[name]}, profile.total(index)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "goroutineleak"])  # without a leak it has no rows
def test_flat_cum_and_total_are_those_of_pprof(go, directory, kind):
    path = directory / f"{kind}.pb.gz"
    profile = decode(path.read_bytes())

    for index, sample_type in enumerate(profile.sample_types):
        expected = top_of_pprof(go, path, sample_type.type, UNITS[sample_type.unit])
        assert expected == top_of_ours(profile, index)
        assert expected[0], f"pprof shows nothing of {sample_type}"


@pytest.mark.parametrize("kind", KINDS)
def test_pprof_reads_the_same_from_what_we_wrote(go, directory, tmp_path, kind):
    path = directory / f"{kind}.pb.gz"
    written = tmp_path / f"{kind}.pb.gz"
    written.write_bytes(encode(decode(path.read_bytes())))

    assert go.pprof("-raw", str(path)) == go.pprof("-raw", str(written))


MAIN = Frame("__main__:<module>", "/srv/app.py", 40, 1)
WORK = Frame("app:Worker.run.<locals>.step", "/srv/app.py", 12, 10)
LAMBDA = Frame("app:<lambda>", "/srv/app.py", 7, 7)
GENERIC = Frame("app:C[int].f(x)", "/srv/größe.py", 3, 2)
PYTHON = build(
    "cpu",
    [
        ((LAMBDA, WORK, MAIN), (3, 150_000_000), (Label("thread_name", "worker"), Label("bytes", "", 16, "bytes"))),
        ((WORK, WORK, MAIN), (2, 100_000_000), ()),
        ((GENERIC, MAIN), (1, 50_000_000), ()),
    ],
    time_nanos=1_790_000_000_000_000_000,
    duration_nanos=10_000_000_000,
    period=50_000_000,
    executable="/usr/bin/python3.11",
)


def write(tmp_path, name, profile):
    path = tmp_path / name
    path.write_bytes(encode(profile))
    return path


def test_pprof_shows_a_profile_of_python_without_a_complaint(go, tmp_path):
    path = write(tmp_path, "python.pb.gz", PYTHON)

    rows, total = top_of_pprof(go, path, "cpu", "ns")

    assert 300_000_000 == total
    assert {
        LAMBDA.name: (150_000_000, 150_000_000),
        WORK.name: (100_000_000, 250_000_000),  # it calls itself, and counts once
        GENERIC.name: (50_000_000, 50_000_000),
        MAIN.name: (0, 300_000_000),
    } == rows


def test_pprof_reads_every_detail_of_a_profile_of_python(go, tmp_path):
    raw = go.pprof("-raw", str(write(tmp_path, "python.pb.gz", PYTHON)))

    assert [
        "PeriodType: cpu nanoseconds",
        "Period: 50000000",
        "Time: 2026-09-21 14:13:20 +0000 UTC",
        "Duration: 10s",
        "Samples:",
        "samples/count cpu/nanoseconds",
        "          3  150000000: 1 2 3 ",
        "                thread_name:[worker]",
        "                bytes:[16 bytes]",
        "          2  100000000: 2 2 3 ",
        "          1   50000000: 4 3 ",
        "Locations",
        "     1: 0x0 M=1 app:<lambda> /srv/app.py:7:0 s=7()",
        "     2: 0x0 M=1 app:Worker.run.<locals>.step /srv/app.py:12:0 s=10()",
        "     3: 0x0 M=1 __main__:<module> /srv/app.py:40:0 s=1()",
        "     4: 0x0 M=1 app:C[int].f(x) /srv/größe.py:3:0 s=2()",
        "Mappings",
        "1: 0x0/0x0/0x0 /usr/bin/python3.11  [FN][FL][LN][IN]",
    ] == [line for line in raw.splitlines() if line.strip()]


def test_a_sum_is_what_pprof_adds_up(go, directory, tmp_path):
    path = directory / "cpu.pb.gz"
    profile = decode(path.read_bytes())

    merged = merge([profile, profile, scale(profile, 3)])

    assert len(merged.samples) <= len(profile.samples)
    assert top_of_pprof(go, write(tmp_path, "merged.pb.gz", merged), "cpu", "ns") == top_of_ours(scale(profile, 5), 1)


@pytest.mark.parametrize(
    ("kind", "sample_type"), [("mutex", "delay"), ("block", "contentions"), ("allocs", "alloc_space")]
)
def test_a_difference_is_what_pprof_takes_away(go, fresh, tmp_path, kind, sample_type):
    """pprof's -base of two cumulative profiles, where the older one is the newer one with fewer samples."""
    new = decode((fresh / f"{kind}.pb.gz").read_bytes())
    old = halved(new)

    options = (f"-base={write(tmp_path, 'old.pb.gz', old)}", str(fresh / f"{kind}.pb.gz"))
    go.run("tool", "pprof", "-proto", f"-output={tmp_path / 'delta.pb.gz'}", *options)
    expected = decode((tmp_path / "delta.pb.gz").read_bytes())

    index = new.index(sample_type)
    assert top_of_ours(expected, index) == top_of_ours(subtract(new, old), index)


def halved(profile):
    """The profile as it was when half of it had happened."""
    samples = tuple(Sample(s.locations, tuple(value // 2 for value in s.values), s.labels) for s in profile.samples)
    return replace(profile, samples=samples, time_nanos=profile.time_nanos - 10**9)
