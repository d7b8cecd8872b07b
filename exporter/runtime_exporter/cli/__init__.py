"""The command line: one verb a file, imported when it is used; exit codes are made in `exit_code` and nowhere else.

0 fine; 1 findings or a failure; 2 wrong usage or configuration; 130 interrupted. A user's mistake is one line on standard error.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from runtime_exporter.errors import CheckError, ConfigError, ExporterError
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FAILURE = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell counts it

# verb -> its line in --help. A verb is `command` in the module runtime_exporter.cli.<verb>; it returns None, or an exit code.
VERBS = {
    "run": "Run a Python program with the exporter in it.",
    "serve": "Answer for the workers of a run directory.",
    "agent": "Profile other processes: Go services and pids.",
    "generate": "Write rules, dashboards and the Alertmanager configuration.",
    "check": "Check generated files with promtool and amtool.",
    "list": "List settings, collectors or metrics.",
    "profile": "Take a profile of a service or a process.",
    "top": "Show the functions of a profile that cost most.",
    "diff": "Show what changed between two profiles.",
    "flamegraph": "Draw a profile, or what changed between two, as one HTML file.",
    "advice": "Say what profiles recommend to change.",
    "act": "Run listed commands for alerts, behind a shared secret.",
    "demo": "Watch a faulty shop page someone, on real parts.",
}


RUN_DIRECTORY = "RUNTIME_EXPORTER_RUN_DIRECTORY"
"""Makes a worker of every process that imports our metrics."""


@contextlib.contextmanager
def _without(variable: str) -> Iterator[None]:
    """Let a variable not be in the environment for a moment: who looks at a service with its environment is none of its workers."""
    value = os.environ.pop(variable, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[variable] = value


class LazyGroup(click.Group):
    """A group whose verbs are imported when they are run, so that one pays for its own imports only."""

    def __init__(self, *args: Any, verbs: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.verbs = dict(verbs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs, in the order of the table."""
        del ctx
        return [*self.verbs]  # list is the module of a verb here

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return the command of a verb, importing its module."""
        if cmd_name not in self.verbs:
            ctx.fail(f"no such command {cmd_name!r}{did_you_mean(cmd_name, self.verbs)}")
        with _without(RUN_DIRECTORY):
            command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs and their lines, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([*self.verbs.items()])

    # The superclass overloads this by standalone_mode, which here is nobody's to choose.
    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any
    ) -> NoReturn:
        """Run a command line and exit with its code."""
        options["standalone_mode"] = False
        run = super().main
        sys.exit(exit_code(lambda: run(args, prog_name, **options)))


def exit_code(run: Callable[[], object]) -> int:
    """Run a command line and return its exit code; what went wrong is one line on standard error."""
    try:
        result = run()
        sys.stdout.flush()  # here, where a reader that went away is still somebody's business
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Such as `| head`. The interpreter flushes once more when it ends: give it a place to write to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except (ExporterError, click.ClickException, OSError) as error:
        for line in _complaints(error):
            click.echo(f"error: {line}", err=True)
        return USAGE if isinstance(error, (ConfigError, click.UsageError)) else FAILURE
    return result if isinstance(result, int) else 0


def _complaints(error: ExporterError | click.ClickException | OSError) -> tuple[str, ...]:
    """Return the lines that say what is wrong: one, but for a check with several findings."""
    if isinstance(error, CheckError):
        return error.findings
    if isinstance(error, OSError):
        return (f"{error.filename}: {error.strerror}" if error.filename else str(error),)
    if isinstance(error, click.ClickException):
        hint = f" (see {error.ctx.command_path} --help)" if isinstance(error, click.UsageError) and error.ctx else ""
        return (" ".join(error.format_message().split()) + hint,)
    return (str(error),)


@click.group(
    cls=LazyGroup,
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings: runtime-exporter list settings",
)
@click.version_option(package_name="runtime-exporter", message="%(prog)s %(version)s")
def main() -> None:
    """Performance monitoring for Python services on Prometheus, Grafana and Alertmanager."""
