"""`runtime-exporter advice`: what real profiles recommend, from files and from a service, with the exit code of diff."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from busy_service import busy_service
from runtime_exporter.cli import advice
from runtime_exporter.profiling import filed
from runtime_exporter.profiling.pprof import decode, encode
from runtime_exporter.profiling.profile import Frame, build
from tools import free_port
from verbs import failure, mistake

TESTS = Path(__file__).resolve().parents[1]
GO = TESTS / "profiling" / "recorded" / "go"
DATA = TESTS / "profiling" / "testdata"
MS = 10**6


def run(*arguments, **options):
    return CliRunner().invoke(
        advice.command, [str(one) for one in arguments], standalone_mode=False, catch_exceptions=False, **options
    )


def told(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def python_profile(comments=(), samples=400):
    stack = (Frame("copy:deepcopy", "/usr/lib/python3.11/copy.py"), Frame("shop:cart", "/srv/shop.py"))
    return build(
        "cpu",
        [(stack, (samples, samples * 10 * MS), ()), ((Frame("shop:main", "/srv/shop.py"),), (100, 1000 * MS), ())],
        time_nanos=1_790_000_000 * 10**9,
        duration_nanos=10**10,
        comments=comments,
    )


def test_it_says_what_to_do_why_how_to_check_it_and_when_it_is_wrong():
    result = run(GO / "regexp.cpu.pb.gz")
    assert 1 == result.return_value
    first, claim, *rest = result.stdout.splitlines()
    assert first.startswith(
        "WARNING Regular expressions are compiled while serving [go-regexp-compile, at most 64% of CPU time]"
    )
    assert "main.useRegexp" in claim
    assert ["do", "verify", "wrong when", "evidence"] == [
        line.strip().partition(":")[0] for line in rest[: rest.index("")] if not line.startswith("    ")
    ]


def test_a_profile_without_anything_to_say_ends_with_0_and_says_how_many_rules_looked():
    result = run(GO / "plain.cpu.pb.gz")
    assert 0 == result.return_value
    assert [
        "no recommendations; 15 of 17 rules for go could look",
        "the others could not: no mutex profile (1); no heap profile (1)",
    ] == result.stdout.splitlines()


def test_verbose_says_of_each_silent_rule_why():
    silent = told(GO / "leak.goroutineleak.pb.gz")["silent"]
    lines = run("-v", GO / "leak.goroutineleak.pb.gz").stdout.splitlines()
    assert [f"  {name}: {why}" for name, why in silent.items()] == lines[-len(silent) :]


def test_profiles_of_several_kinds_let_more_rules_speak():
    one, both = told(GO / "regexp.cpu.pb.gz"), told(GO / "regexp.cpu.pb.gz", GO / "timers.heap.pb.gz")
    assert {"go-regexp-compile", "go-timers"} <= {found["rule"] for found in both["recommendations"]}
    assert len(both["silent"]) < len(one["silent"])


def test_profiles_of_one_kind_count_as_one_as_long_as_all_of_them(tmp_path):
    (tmp_path / "a").write_bytes(encode(python_profile(samples=150)))
    assert [] == told(tmp_path / "a")["recommendations"]
    merged = told(tmp_path / "a", tmp_path / "a")
    assert (500, 20.0) == (merged["profiles"]["cpu"]["samples"], merged["window_seconds"])
    assert ["deepcopy"] == [found["rule"] for found in merged["recommendations"]]


def test_a_biased_profile_silences_what_rests_on_leaves(tmp_path):
    for name, comment in (("fair", "backend py-spy, unbiased"), ("biased", "backend thread, bias ratio 0.731")):
        (tmp_path / name).write_bytes(encode(python_profile(comments=(comment,))))
    assert ("py-spy", "none") == tuple(told(tmp_path / "fair")[name] for name in ("backend", "bias"))
    biased = told(tmp_path / "biased")
    assert ("thread", "high") == (biased["backend"], biased["bias"])
    assert all(found["severity"] == "info" for found in biased["recommendations"])


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (DATA / "cpu.pb.gz", "cpu"),
        (DATA / "heap.pb.gz", "heap"),
        (DATA / "block.pb.gz", "block"),
        (DATA / "mutex.pb.gz", "mutex"),
        (DATA / "goroutine.pb.gz", "goroutine"),
        (DATA / "goroutineleak.pb.gz", "goroutineleak"),
        (DATA / "threadcreate.pb.gz", ""),
        (GO / "mutex.mutex.pb.gz", "mutex"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_kind_of_a_file_is_known_by_what_is_in_it(file, kind):
    assert kind == filed.kind_of(decode(file.read_bytes()))


def test_a_service_is_asked_for_all_that_rules_read(tmp_path):
    del tmp_path
    with busy_service() as service:
        result = run("--url", service.url, "--seconds", "1", "--json")
    answer = json.loads(result.stdout)
    assert {"cpu", "wall"} <= answer["profiles"].keys()
    assert answer["profiles"]["cpu"]["total"] > 0
    assert "501" in answer["left_out"]["goroutineleak"] or "404" in answer["left_out"]["goroutineleak"]
    assert (1 if answer["recommendations"] else 0) == result.return_value


def test_a_profile_on_which_there_is_no_advice_is_one_line():
    file = str(DATA / "threadcreate.pb.gz")
    assert (1, f"error: {file}: a profile of threadcreate, on which there is no advice") == mistake("advice", file)


def test_neither_files_nor_a_url_is_wrong_usage():
    assert (2, "error: either files or --url are needed (see runtime-exporter advice --help)") == mistake("advice")


def test_a_service_that_is_not_there_is_one_line():
    code, line = failure("advice", "--url", f"http://127.0.0.1:{free_port()}", "--seconds", "1")
    assert 1 == code
    assert line.startswith("error: http://127.0.0.1:")
    assert line.endswith("cannot be asked: Connection refused")
