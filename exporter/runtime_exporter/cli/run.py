"""The verb `run`: become a Python program, with the exporter in it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime_exporter.bootstrap import RUN_DIRECTORY, environment, uwsgi
from runtime_exporter.cli.settingoptions import setting_options
from runtime_exporter.collectors import ALL
from runtime_exporter.errors import ConfigError
from runtime_exporter.settings import SETTINGS, load, select

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERPRETER = re.compile(r"(?:python|pypy)[0-9.]*t?(?:\.exe)?")


def command_line(program: Sequence[str]) -> list[str]:
    """Return the command line that runs `program`: `-m MODULE`, a script, or a program on PATH, each with its arguments.

    Raises `ConfigError` where there is no such program, and where it is none that Python runs.
    """
    name, *rest = program
    if name == "-m":
        if not rest:
            raise ConfigError("-m needs the name of a module")
        return [sys.executable, *program]
    path = _find(name)
    if path.suffix in (".py", ".pyz", ".pyc") or path.is_dir():
        return [sys.executable, str(path), *rest]
    if _INTERPRETER.fullmatch(path.name) or path.name in uwsgi.NAMES:
        return [str(path), *rest]
    if not _is_script(path):
        raise ConfigError(
            f"{name} is not a Python program: give a script, -m MODULE, or a command that is written in Python"
        )
    return [str(path), *rest] if os.access(path, os.X_OK) else [sys.executable, str(path), *rest]


def _find(name: str) -> Path:
    """Return the file, or the directory with a __main__.py, that `name` means: as a shell would, then as Python would."""
    found = None if os.sep in name else shutil.which(name)
    path = Path(found or name)
    if path.is_file() or (path / "__main__.py").is_file():
        return path
    if path.is_dir():
        raise ConfigError(f"{name} is a directory without a __main__.py")
    raise ConfigError(f"{name}: no such program (neither a file nor on PATH)")


def _is_script(path: Path) -> bool:
    """Return whether a file is text that an interpreter runs, not machine code."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    return start.startswith(b"#!") or b"\0" not in start


def _run(program: Sequence[str], **given: Any) -> None:
    """Run a Python program with the exporter in it; it needs no change.

    PROGRAM is a script, -m MODULE, or a command such as gunicorn, uvicorn, flask or python. A Flask, Django, FastAPI or
    Starlette application in it gets the middleware. Exit code and signals are the program's own.
    """
    settings = load(given)  # what is wrong is said here, not by the program
    select(settings, ALL)
    arguments = command_line(program)
    variables = {setting.variable: given[setting.name] for setting in SETTINGS if given[setting.name] is not None}
    if settings.run_directory:
        # Also one from the configuration file: the servers' supervisors look for a variable, so does who only counts.
        variables[RUN_DIRECTORY] = settings.run_directory
    environ = {**os.environ, **variables}
    if not settings.disabled:
        environ = environment(environ, os.getpid())
    sys.stdout.flush()
    try:
        os.execve(arguments[0], arguments, environ)  # noqa: S606 - the verb
    except OSError as error:
        raise ConfigError(f"{arguments[0]}: {error.strerror}") from None


command = click.Command(
    "run",
    callback=_run,
    params=[*setting_options(), click.Argument(["program"], nargs=-1, required=True, type=click.UNPROCESSED)],
    help=_run.__doc__,
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
    short_help="Run a Python program with the exporter in it.",
    options_metavar="[OPTIONS] [--]",
)
