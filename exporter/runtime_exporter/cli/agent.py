"""The verb `agent`: profile other processes, and serve what that comes to."""

from __future__ import annotations

import contextlib
import gc
import queue
import signal
from pathlib import Path
from typing import Any

import click

from runtime_exporter.agent.agent import Agent
from runtime_exporter.agent.config import load as load_targets
from runtime_exporter.cli.settingoptions import setting_options
from runtime_exporter.collectors import ALL
from runtime_exporter.settings import load, select

_TICK_SECONDS = 1.0
# To read a profile is to make some hundred thousand objects that all stay for a while: the collector, which walks them after every
# 700 of them by default, is a sixth of what reading the largest ones costs. This process has nothing else to do.
GC_THRESHOLDS = (50_000, 20, 50)
_ENDS = (signal.SIGTERM, signal.SIGINT)


class _Signals:
    """What the signals of this process ask for: SIGHUP to read the file again, SIGINT and SIGTERM to end."""

    def __init__(self) -> None:
        # Unlike an Event it may be told something in the middle of being asked, as a signal handler does.
        self._taken: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            signal.signal(number, lambda taken, _: self._taken.put(taken))

    def next(self) -> int:
        """Wait for a signal and return its number."""
        while True:
            with contextlib.suppress(queue.Empty):  # one that another thread takes wakes nobody here
                return self._taken.get(timeout=_TICK_SECONDS)


def _agent(config: str, check: bool, **given: Any) -> None:
    """Profile other processes and serve what that comes to: Go services by the URL of their pprof pages, Python by pid or command.

    The targets are in a YAML file, which is read again on SIGHUP. Each has its series at /targets/NAME/metrics, and Prometheus finds all
    of them at /api/v1/targets (http_sd_configs). Settings are those of the exporter: the address, TLS and users, where profiles are kept.
    """
    settings = load(given)  # what is wrong is said here, before anything is started
    select(settings, ALL)
    if check:
        targets = load_targets(Path(config))
        click.echo(f"{config}: {len(targets)} target{'s' if len(targets) != 1 else ''}")
        return
    gc.set_threshold(*GC_THRESHOLDS)
    signals = _Signals()
    agent = Agent(Path(config), settings).start()
    try:
        while (taken := signals.next()) not in _ENDS:
            agent.reload()
    finally:
        agent.close()
    if taken == signal.SIGINT:  # a service manager's SIGTERM is no failure
        raise KeyboardInterrupt


command = click.Command(
    "agent",
    callback=_agent,
    params=[
        click.Option(["--config"], required=True, metavar="FILE", help="The targets, in YAML."),
        click.Option(["--check"], is_flag=True, help="Only say whether the file is right."),
        *setting_options(),
    ],
    help=_agent.__doc__,
    short_help="Profile other processes.",
)
