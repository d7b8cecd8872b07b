"""`runtime-exporter profile`: of a real service by its URL, of a real process by its pid, with mistakes in one line."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from busy_service import busy_service
from runtime_exporter.cli.service import address
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import frames
from verbs import failure, run

PYSPY = Path(sys.executable).parent / "py-spy"


@pytest.fixture(scope="module")
def service():
    """A service that burns CPU in burns_cpu_here()."""
    with busy_service() as running:
        yield running


def functions(data):
    return {frame.name for sample in pprof.decode(data).samples for frame in frames(sample)}


def test_a_profile_of_a_url_is_written_to_a_file_and_summed_up_in_a_line(service, tmp_path):
    ended = run("profile", "--url", service.url, "--seconds", "2", cwd=tmp_path)

    first, last = ended.stderr.splitlines()
    assert (0, "", f"cpu profile of {service.url} over 2 s") == (ended.returncode, ended.stdout, first)
    assert last.startswith("cpu.pb.gz: ")
    assert "__main__:burns_cpu_here" in last
    assert [tmp_path / "cpu.pb.gz"] == [*tmp_path.iterdir()]
    assert "__main__:burns_cpu_here" in functions((tmp_path / "cpu.pb.gz").read_bytes())


def test_a_profile_goes_to_a_pipe(service):
    ended = run("profile", "--url", service.url, "--kind", "goroutine", "-o", "-", text=False)

    assert 0 == ended.returncode
    assert "__main__:burns_cpu_here" in functions(ended.stdout)


@pytest.mark.skipif(not PYSPY.exists(), reason="py-spy is not installed: pip install 'runtime-exporter[pyspy]'")
@pytest.mark.parametrize("kind", ["cpu", "wall"])
def test_a_profile_of_a_pid_is_taken_from_outside(service, kind):
    ended = run("profile", "--pid", str(service.pid), "--kind", kind, "--seconds", "1", "-o", "-", text=False)

    assert 0 == ended.returncode, ended.stderr
    profile = pprof.decode(ended.stdout)
    assert kind == profile.sample_types[-1].type
    assert any(name.endswith(":burns_cpu_here") for name in functions(ended.stdout))
    assert 0.5e9 < sum(s.values[-1] for s in profile.samples if "burns" in s.locations[0].lines[0].function.name)


def test_a_terminal_sees_how_far_it_is(service, tmp_path):
    own, theirs = pty.openpty()
    command = [sys.executable, "-m", "runtime_exporter", "profile", "--url", service.url, "--seconds", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(own, 4096):
                shown += chunk
        except OSError:  # how Linux says that the other side is closed
            pass
        finally:
            os.close(own)

    assert 0 == process.returncode
    assert b"100%" in shown
    assert shown.count(b"%") > 3


def test_what_the_service_refuses_is_said_in_its_own_words_and_nothing_is_written(service, tmp_path):
    code, line = failure("profile", "--url", service.url, "--kind", "mutex", cwd=tmp_path)

    assert 1 == code
    assert line.startswith(f"error: {service.url}/debug/pprof/mutex says 501 No profile mutex: ")
    assert [] == [*tmp_path.iterdir()]


def test_what_is_no_profile_is_not_written(service, tmp_path):
    code, line = failure("profile", "--url", f"{service.url}/debug/pprof/cmdline", cwd=tmp_path)

    assert (1, True) == (code, line.startswith("error: "))
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "one of --url and --pid is needed"),
        (["--url", "http://x", "--pid", "1"], 2, "one of --url and --pid is needed"),
        (["--url", "ftp://x"], 2, "http://127.0.0.1:9464"),
        (["--pid", "1", "--kind", "heap"], 2, "heap needs --url"),
        (["--url", "http://x", "--seconds", "0"], 2, "--seconds"),
        (["--url", "http://x", "-o", "/nonexistent/f.pb.gz"], 2, "/nonexistent is no directory"),
        (["--url", "http://user:hunter2@127.0.0.1:1"], 1, "http://127.0.0.1:1/debug/pprof/profile cannot be asked: "),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, code, words):
    found, line = failure("profile", *arguments, cwd=tmp_path)

    assert code == found
    assert line.startswith("error: ")
    assert words in line
    assert "hunter2" not in line


@pytest.mark.skipif(not PYSPY.exists(), reason="py-spy is not installed: pip install 'runtime-exporter[pyspy]'")
def test_a_process_that_is_none_is_one_line(tmp_path):
    code, line = failure("profile", "--pid", "4194304", "--seconds", "1", cwd=tmp_path)

    assert (1, True) == (code, line.startswith("error: py-spy failed: "))


def test_without_pyspy_the_command_says_what_brings_it():
    program = "import sys; sys.executable = '/nonexistent/python'; from runtime_exporter.cli import main; main(['profile', '--pid', '1'])"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (1, "error: py-spy is not installed: pip install 'runtime-exporter[pyspy]'\n") == (
        ended.returncode,
        ended.stderr,
    )


@pytest.mark.parametrize(
    ("url", "kind", "expected"),
    [
        ("http://h:9464", "cpu", "http://h:9464/debug/pprof/profile"),
        ("h:9464", "cpu", "http://h:9464/debug/pprof/profile"),
        ("http://h/", "heap", "http://h/debug/pprof/heap"),
        ("http://h/prefix/", "goroutine", "http://h/prefix/debug/pprof/goroutine"),
        ("http://h/debug/pprof/", "wall", "http://h/debug/pprof/wall"),
        ("https://h/debug/pprof/custom?x=1", "cpu", "https://h/debug/pprof/custom?x=1"),
    ],
)
def test_an_address_is_completed_as_far_as_it_is_not_given(url, kind, expected):
    assert expected == address(url, kind)
