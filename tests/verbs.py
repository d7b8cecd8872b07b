"""Verbs as a user runs them: `python -m runtime_exporter` in a process of its own, without settings."""

from __future__ import annotations

import os
import subprocess
import sys


def run(*arguments, environ=None, text=True, **options):
    """Run a verb in a directory and environment without settings; return the process that has ended."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RUNTIME_EXPORTER_")}
    plain |= {"HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent", "XDG_CONFIG_DIRS": "/nonexistent"}
    return subprocess.run(
        [sys.executable, "-m", "runtime_exporter", *arguments],
        env={**plain, **(environ or {})},
        capture_output=True,
        text=text,
        timeout=60,
        check=False,
        **options,
    )


def complaint(ended):
    """Return the exit code of a verb that wrote nothing, and the one line that it complained in."""
    assert "" == ended.stdout
    (line,) = ended.stderr.splitlines()
    return ended.returncode, line


def failure(*arguments, **options):
    """Run a verb that says what it does and then fails; return its exit code and its last line."""
    ended = run(*arguments, **options)
    assert "" == ended.stdout
    return ended.returncode, ended.stderr.splitlines()[-1]


def mistake(*arguments, **options):
    """Run a verb that has something to complain about; return its exit code and the line."""
    return complaint(run(*arguments, **options))
