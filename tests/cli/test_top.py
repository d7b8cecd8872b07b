"""`runtime-exporter top` and `diff` on files: the numbers of pprof, lines that line up, mistakes in one line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime_exporter import cli
from runtime_exporter.cli import diff, top
from runtime_exporter.profiling import amounts
from runtime_exporter.profiling.arithmetic import scale
from runtime_exporter.profiling.pprof import decode, encode
from runtime_exporter.profiling.profile import Frame, build
from verbs import mistake

DATA = Path(__file__).resolve().parents[1] / "profiling" / "testdata"
CPU = str(DATA / "cpu.pb.gz")
HEAP = str(DATA / "heap.pb.gz")
MS = 10**6
A, B, MAIN = Frame("app:a", "app.py", 1), Frame("app:b", "app.py", 2), Frame("app:main", "app.py", 3)


def profile(*stacks, seconds=10, kind="cpu"):
    return build(
        kind, stacks, time_nanos=1_790_000_000 * 10**9, duration_nanos=seconds * 10**9, executable="/bin/python3"
    )


def save(path, value):
    path.write_bytes(encode(value))
    return str(path)


def output(command, *arguments, **options):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, **options)
    assert (0, "") == (result.exit_code, result.stderr)
    return result.stdout


RECURSIVE = [((A, A, MAIN), (2, 200 * MS), ()), ((B, A, MAIN), (1, 100 * MS), ()), ((MAIN,), (1, 100 * MS), ())]


def test_a_table_says_what_each_function_cost(tmp_path):
    assert [
        "cpu (nanoseconds), of python3, at 2026-09-21 14:13:20 UTC, 10 s long",
        "400.00ms in 4 samples; 3 of 3 functions, with 100.00% of it",
        "      flat   flat%    sum%        cum    cum%  function",
        "  200.00ms  50.00%  50.00%   300.00ms  75.00%  app:a",
        "  100.00ms  25.00%  75.00%   400.00ms 100.00%  app:main",
        "  100.00ms  25.00% 100.00%   100.00ms  25.00%  app:b",
    ] == output(top.command, save(tmp_path / "p", profile(*RECURSIVE))).splitlines()


def test_it_is_sorted_by_what_is_asked_for_and_cut_where_asked(tmp_path):
    path = save(tmp_path / "p", profile(*RECURSIVE))

    _, shown, _, *rows = output(top.command, "--sort", "cum", "-n", "2", path).splitlines()

    assert "2 of 3 functions, with 75.00% of it" in shown
    assert ["app:main", "app:a"] == [row.split()[-1] for row in rows]


def test_a_value_can_be_chosen_and_has_its_own_unit():
    objects = output(top.command, "--sample-type", "alloc_objects", HEAP)
    space = output(top.command, "--sample-type", "alloc_space", HEAP)

    assert objects.startswith("alloc_objects (count), of workload")
    assert "MiB" not in objects
    assert "MiB" in space
    assert output(top.command, HEAP).startswith("inuse_space (bytes), of workload")


def test_a_profile_without_samples_is_an_empty_table(tmp_path):
    lines = output(top.command, save(tmp_path / "p", profile())).splitlines()

    assert "0 in 0 samples; 0 of 0 functions, with 0.00% of it" == lines[1]
    assert 3 == len(lines)
    assert "no difference" in output(diff.command, str(tmp_path / "p"), str(tmp_path / "p"))


def test_a_dash_is_standard_input():
    data = Path(CPU).read_bytes()

    assert output(top.command, CPU) == output(top.command, "-", input=data)
    assert "no difference" in output(diff.command, CPU, "-", input=data)


@pytest.mark.parametrize(
    ("unit", "largest", "value", "text"),
    [
        ("seconds", 1234.0, 0.5, "0.50s"),
        ("seconds", 1.9, 0.5, "500.00ms"),
        ("seconds", 2e-5, 1e-6, "1.00µs"),
        ("seconds", 3e-9, 1e-9, "1.00ns"),
        ("bytes", 5 * 1024**3, 1024**3, "1.00GiB"),
        ("bytes", 3000, 512, "0.50KiB"),
        ("bytes", 100, 7, "7B"),
        ("count", 10**9, 12, "12"),
        ("count", 0, 0, "0"),
    ],
)
def test_amounts_of_a_table_have_one_scale(unit, largest, value, text):
    assert text == amounts.Amounts(unit, largest)(value)


# --- diff


def test_a_difference_is_in_amounts_and_in_points(tmp_path):
    before = save(tmp_path / "before", profile(((A, MAIN), (3, 300 * MS), ()), ((B, MAIN), (1, 100 * MS), ())))
    after = save(tmp_path / "after", profile(((A, MAIN), (3, 300 * MS), ()), ((B, MAIN), (5, 500 * MS), ())))

    assert [
        "cpu: 400.00ms before, 800.00ms after (+100.0%)",
        "    before      after      change   before%   after%  points  function (self)",
        "  100.00ms   500.00ms   +400.00ms    25.00%   62.50%  +37.50  app:b",
        "  300.00ms   300.00ms           0    75.00%   37.50%  -37.50  app:a",
    ] == output(diff.command, before, after).splitlines()
    assert "app:main" in output(diff.command, "--sort", "cum", before, after)


def test_the_same_work_for_longer_is_no_change_of_shares(tmp_path):
    short = profile(*RECURSIVE)
    before, after = (
        save(tmp_path / "before", short),
        save(tmp_path / "after", scale(profile(*RECURSIVE, seconds=60), 6)),
    )

    assert "the profiles differ in length" in output(diff.command, before, after)
    assert "no difference" == output(diff.command, "--normalised", before, after).splitlines()[-1]


def test_more_changes_than_rows_are_counted(tmp_path):
    before, after = save(tmp_path / "before", profile()), save(tmp_path / "after", profile(*RECURSIVE))

    *_, last = output(diff.command, "-n", "1", before, after).splitlines()

    assert "... and 2 more that changed" == last


# --- mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["top", "/nonexistent"], 1, "error: /nonexistent: No such file or directory"),
        (["top", "/"], 1, "error: /: Is a directory"),
        (
            ["top", str(DATA / "mutex.txt")],
            1,
            f"error: {DATA}/mutex.txt: this is a profile in text form, for people: fetch it without debug=1 or debug=2",
        ),
        (["top", "-"], 1, "error: standard input: the profile is empty: 0 bytes"),
        (
            ["top", "--sample-type", "cpi", CPU],
            2,
            "error: Invalid value for --sample-type: the profile has no sample type 'cpi' but samples, cpu; did you mean 'cpu'? (see runtime-exporter top --help)",
        ),
        (["diff", CPU, HEAP], 1, "error: cannot compare cpu (seconds) with heap (bytes)"),
        (
            ["diff", "-", "-"],
            2,
            "error: only one of the two profiles can come from standard input (see runtime-exporter diff --help)",
        ),
    ],
)
def test_a_mistake_is_one_line(arguments, code, line):
    assert (code, line) == mistake(*arguments, stdin=subprocess.DEVNULL)


def test_a_reader_that_goes_away_is_nothing_to_complain_about(tmp_path):
    stacks = [((Frame(f"app:function_{number}", "app.py", number),), (1, MS), ()) for number in range(20_000)]
    path = save(tmp_path / "p", profile(*stacks))
    with subprocess.Popen(
        [sys.executable, "-m", "runtime_exporter", "top", "-n", "20000", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as ended:
        assert ended.stdout is not None
        ended.stdout.readline()
        ended.stdout.close()
        assert ended.stderr is not None
        assert b"" == ended.stderr.read()
        assert cli.FAILURE == ended.wait(60)


def test_what_top_says_of_go_is_what_the_profile_says():
    source = decode(Path(CPU).read_bytes())
    own = sum(
        sample.values[1] for sample in source.samples if sample.locations[0].lines[0].function.name == "main.fibonacci"
    )
    stream = io.StringIO(output(top.command, CPU))
    (row,) = (line for line in stream if line.endswith("main.fibonacci\n"))

    assert f"{own / MS:.2f}ms" == row.split()[0]


def test_top_as_json_has_the_same_numbers_in_the_unit_it_names(tmp_path):
    told = json.loads(output(top.command, save(tmp_path / "p", profile(*RECURSIVE)), "--json", "-n", "1"))
    assert {
        "kind": "cpu",
        "unit": "seconds",
        "total": 0.4,
        "samples": 4,
        "begin": 1_790_000_000.0,
        "duration_seconds": 10.0,
        "comments": [],
        "functions": [
            {
                "function": "app:a",
                "file": "app.py",
                "line": 0,
                "self": 0.2,
                "self_share": 0.5,
                "cum": pytest.approx(0.3),
                "cum_share": pytest.approx(0.75),
            }
        ],
        "left_out": 2,
    } == told


def test_a_difference_as_json_has_amounts_and_shares(tmp_path):
    before = save(tmp_path / "before", profile(((A, MAIN), (1, 100 * MS), ()), ((B, MAIN), (1, 100 * MS), ())))
    after = save(tmp_path / "after", profile(((A, MAIN), (3, 300 * MS), ()), ((B, MAIN), (1, 100 * MS), ())))
    told = json.loads(output(diff.command, before, after, "--json"))
    assert (0.2, 0.4) == (told["before"]["total"], told["after"]["total"])
    first = told["functions"][0]
    numbers = {
        "before": 0.1,
        "after": 0.3,
        "share_before": 0.5,
        "share_after": 0.75,
        "change": 0.2,
        "share_change": 0.25,
    }
    assert pytest.approx(numbers) == {name: value for name, value in first.items() if name != "function"}
    assert "app:a" == first["function"]
    assert 0 == told["left_out"]
