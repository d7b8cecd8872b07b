"""`runtime-exporter demo`: a faulty shop, watched by real parts, pages someone."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime_exporter.demo import report
from runtime_exporter.demo.cases import CASES
from runtime_exporter.demo.processes import interruptible
from runtime_exporter.demo.scenario import Result, Scenario
from runtime_exporter.demo.stack import Stack, find_tools
from runtime_exporter.demo.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime_exporter.demo.cases import Case

FAULTS = list(dict.fromkeys(case.fault for case in CASES))


@click.command(name="demo")
@click.option("--fault", "faults", multiple=True, type=click.Choice(FAULTS), help="Only this fault; may be repeated.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the result here too.")
def command(faults: Sequence[str], keep: bool, json_file: Path | None) -> int:
    """Start a shop, Prometheus, Alertmanager, a mail and a Slack sink on loopback, and show six faults page someone.

    Takes about two minutes. The exit code is 0 when every fault was notified and nothing fired without one.
    """
    if json_file and not json_file.absolute().parent.is_dir():  # to be told now, not after minutes
        raise click.BadParameter(f"{json_file.absolute().parent} is no directory", param_hint="--json")
    cases = [case for case in CASES if not faults or case.fault in faults]
    terminal = Terminal(sys.stdout)
    try:
        with interruptible():
            result = _watch(Stack(find_tools()), cases, terminal, json_file, keep=keep)
    finally:
        terminal.clear()
    return 0 if result.passed else 1


def _watch(stack: Stack, cases: Sequence[Case], terminal: Terminal, json_file: Path | None, *, keep: bool) -> Result:
    terminal.line(terminal.style("A shop with faults, the exporter in it, and the real stack that watches it", "bold"))
    terminal.progress("generating the rules and the configuration", 0.0)
    with stack.running():
        _introduce(stack, terminal)
        began = time.time()
        stack.wait_until_ready(lambda what: terminal.progress(f"waiting until {what}", time.time() - began))
        terminal.line(terminal.style(f"✓ everything is up after {time.time() - began:.1f} s", "green"))
        result = Scenario(stack, report.Report(terminal, cases)).run(cases)
        terminal.line()
        terminal.line(report.table(result.trials))
        terminal.line()
        terminal.line(terminal.style(report.summary(result), "green" if result.passed else "red"))
        if json_file:
            _write(json_file, json.dumps(report.as_json(result), indent=2) + "\n")
        if keep:
            _keep(stack, terminal)
    return result


def _introduce(stack: Stack, terminal: Terminal) -> None:
    for what, url in (
        ("shop", stack.url("shop")),
        ("metrics", stack.url("exporter") + "/metrics"),
        ("Prometheus", stack.url("prometheus") + "/classic/alerts"),
        ("Alertmanager", stack.url("alertmanager")),
        ("Slack sink", stack.url("slack")),
        ("mail sink", f"127.0.0.1:{stack.mail.port} (SMTP)"),
    ):
        terminal.line(f"  {what:<13} {terminal.style(url, 'cyan')}")


def _keep(stack: Stack, terminal: Terminal) -> None:
    terminal.line()
    _introduce(stack, terminal)
    terminal.line("Everything goes on until Ctrl-C.")
    try:
        while True:
            stack.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        terminal.line("Ending it.")


def _write(path: Path, text: str) -> None:
    """Write the whole file or nothing of it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
