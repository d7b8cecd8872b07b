"""The command line: a user's mistake is one line and an exit code, and a verb costs its own imports only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import click
import pytest

from runtime_exporter import cli
from runtime_exporter.errors import BundleError, CheckError, ConfigError, MissingToolError
from verbs import complaint, mistake, run


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_verb(flag):
    ended = run(flag)

    assert (0, "") == (ended.returncode, ended.stderr)
    assert [] == [verb for verb in cli.VERBS if f"\n  {verb} " not in ended.stdout]


def test_version_is_the_one_of_the_distribution():
    ended = run("--version")

    assert (0, "runtime-exporter 0.1.0\n") == (ended.returncode, ended.stdout)


# `check` generates into a temporary directory first, with the options of `generate`.
SHARED = {"check": ["generate"]}


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_exists_has_help_and_imports_no_other(verb):
    program = (
        "import sys, click; from runtime_exporter.cli import main, VERBS;"
        f"command = main.get_command(click.Context(main), {verb!r}); assert command.help, 'no help';"
        "print(*sorted(verb for verb in VERBS if 'runtime_exporter.cli.' + verb in sys.modules))"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (0, "") == (ended.returncode, ended.stderr)
    assert sorted([verb, *SHARED.get(verb, [])]) == ended.stdout.split()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["lst"], "error: no such command 'lst'; did you mean 'list'? (see runtime-exporter --help)"),
        (["--colour"], "error: No such option '--colour'. (see runtime-exporter --help)"),
        (
            ["list", "settings", "x"],
            "error: Got unexpected extra argument (x) (see runtime-exporter list settings --help)",
        ),
        (
            ["list", "settings", "--config-file", "/nonexistent.yml"],
            "error: config_file = '/nonexistent.yml' (argument): No such file or directory",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, line):
    assert (2, line) == mistake(*arguments)


def test_a_wrong_setting_is_one_line_and_exit_code_2():
    ended = run("list", "settings", environ={"RUNTIME_EXPORTER_PORT": "many"})

    expected = (
        "error: port = 'many' (environment RUNTIME_EXPORTER_PORT): a port from 0 to 65535 is needed (0: any free port)"
    )
    assert (2, expected) == complaint(ended)


def test_no_arguments_show_the_help_and_are_wrong_usage():
    ended = run()

    assert 2 == ended.returncode
    assert "Usage: runtime-exporter" in ended.stderr


@pytest.mark.parametrize(
    ("raised", "code", "lines"),
    [
        (ConfigError("port = 1: no"), 2, ["error: port = 1: no"]),
        (BundleError("rules.jsonnet:1: no"), 1, ["error: rules.jsonnet:1: no"]),
        (MissingToolError("promtool", package="prometheus"), 1, None),
        (CheckError(["one", "two"]), 1, ["error: one", "error: two"]),
        (PermissionError(13, "Permission denied", "/x"), 1, ["error: /x: Permission denied"]),
        (click.ClickException("two\nlines"), 1, ["error: two lines"]),
        (click.BadParameter("no"), 2, ["error: Invalid value: no"]),
        (KeyboardInterrupt(), 130, []),
        (click.Abort(), 130, []),
    ],
)
def test_what_goes_wrong_has_its_exit_code_and_its_lines(capsys, raised, code, lines):
    def verb():
        raise raised

    assert code == cli.exit_code(verb)
    said = capsys.readouterr()
    assert "" == said.out
    assert (lines if lines is not None else [f"error: {raised}"]) == said.err.splitlines()


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (7, 7)])
def test_what_a_verb_returns_is_the_exit_code(result, code):
    assert code == cli.exit_code(lambda: result)


def test_a_bug_is_not_hidden():
    def verb():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cli.exit_code(verb)


def test_a_reader_that_goes_away_is_no_error_message():
    ended = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m runtime_exporter list metrics --json | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "[" == ended.stdout.splitlines()[0]
    assert "" == ended.stderr


def test_a_reader_that_is_gone_before_the_first_line_is_no_error_message():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "runtime_exporter", "list", "settings"],
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)

    assert (1, b"") == (ended.returncode, ended.stderr)


def test_ctrl_c_ends_a_verb_with_130_and_no_traceback():
    program = (
        "import time, runtime_exporter.cli as cli\n"
        "def verb():\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "raise SystemExit(cli.exit_code(verb))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert b"ready\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)

    assert (130, b"") == (process.returncode, stderr)


def test_a_verb_in_the_environment_of_workers_is_none_of_them_but_knows_their_settings(tmp_path):
    environ = {"RUNTIME_EXPORTER_RUN_DIRECTORY": str(tmp_path)}
    assert str(tmp_path) in run("list", "settings", environ=environ).stdout
    assert 0 == run("list", "metrics", environ=environ).returncode
    assert [] == [*tmp_path.iterdir()]
