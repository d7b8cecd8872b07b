"""Batches side by side, a process each: results as they come. However it ends, no process and no file is left."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from gauntlet import batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gauntlet.batch import Batch, Plan, Result


def results(batches: Sequence[Batch], plan: Plan, jobs: int) -> Iterator[Result]:
    """Yield what each batch has shown. One job needs no other process."""
    look = partial(batch.run, plan=plan)
    if jobs == 1:
        yield from map(look, batches)
        return
    # Spawned, not forked: whoever calls may have threads.
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(batches)), _begin) as pool:
        yield from pool.imap_unordered(look, batches)
        # Whoever leaves before this ends them by SIGTERM.
        pool.close()
        pool.join()


@contextmanager
def ended_cleanly() -> Iterator[None]:
    """Take SIGTERM for what Ctrl-C is: what was started is ended, what was written is removed."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _begin() -> None:
    """Ctrl-C goes to the whole group of processes: the one that was started answers it, and ends these."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, _frame: object) -> NoReturn:
    # Once: while it is cleaned up, another one would leave a Prometheus behind.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)
