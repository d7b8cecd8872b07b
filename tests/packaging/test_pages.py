"""docs/python.md and docs/commands.md against the code: every name is there, and what they show can be written so."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
from pathlib import Path

import click
import pytest

import runtime_exporter
from runtime_exporter.cli import VERBS
from runtime_exporter.web.health import Health

DOCS = Path(__file__).resolve().parents[2] / "docs"
PYTHON = (DOCS / "python.md").read_text(encoding="utf-8")
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
ROWS = {cells[1].strip(" `"): cells for cells in (line.split("|") for line in COMMANDS.splitlines()) if len(cells) == 6}


def test_every_public_name_is_on_the_page():
    missing = [name for name in runtime_exporter.__all__ if not re.search(rf"\b{name}\b", PYTHON)]
    assert [] == missing


@pytest.mark.parametrize(
    ("owner", "name"),
    [(runtime_exporter, "WSGIMiddleware"), (runtime_exporter, "ASGIMiddleware"), (Health, "add")],
)
def test_a_signature_of_the_page_is_that_of_the_code(owner, name):
    (written,) = re.findall(rf"`(?:exporter\.health\.)?{name}(\([^`]*\))`", PYTHON)
    parameters = [p for p in inspect.signature(getattr(owner, name)).parameters.values() if p.name != "self"]
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    assert str(inspect.Signature(bare)) == written


def test_the_handle_has_what_the_page_says_of_it():
    table = PYTHON.partition("The handle, `Exporter`:")[2].partition("\n\nIn the child")[0]
    names = re.findall(r"^\| `\.(\w+)", table, re.MULTILINE)
    exporter = runtime_exporter.Exporter()
    assert len(names) >= 6
    assert [] == [name for name in names if not hasattr(exporter, name)]


def test_python_on_the_page_is_python():
    blocks = re.findall(r"```python\n(.*?)```", PYTHON, re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        compile(block, "docs/python.md", "exec")


def test_every_command_is_on_the_page_with_its_line():
    assert VERBS == {verb: ROWS[verb][2].strip() for verb in VERBS if verb in ROWS}


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_a_command_is_one_that_it_takes(verb):
    program, called, *arguments = shlex.split(ROWS[verb][3].strip(" `"))
    command: click.Command = importlib.import_module(f"runtime_exporter.cli.{verb}").command
    known = {option for parameter in command.params for option in parameter.opts}
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    assert ("runtime-exporter", verb) == (program, called)
    assert [] == [word for word in own if word.startswith("-") and word not in known]
    if isinstance(command, click.Group):
        assert own[0] in command.commands
