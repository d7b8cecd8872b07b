"""What the tests of the mixin share: the default files, generated once, and the command line as a user runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from runtime_exporter.cli import main
from runtime_exporter.mixin.generate import generate

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def default_files() -> dict[str, str]:
    return generate()


@pytest.fixture
def runtime_exporter() -> Callable[..., Result]:
    """Run `runtime-exporter ARGUMENTS` and return exit code, stdout and stderr."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return run
