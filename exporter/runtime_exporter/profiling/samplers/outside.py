"""A sampler outside of the process: a helper that reads its memory, needs no GIL for it, and so sees what runs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers.collapsed import modules_by_file, parse
from runtime_exporter.profiling.samplers.ledger import Ledger
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.sampler import NOT_SAMPLED, Capabilities, Window
from runtime_exporter.profiling.samplers.tally import Tally, split
from runtime_exporter.profiling.samplers.tracer import Tracer
from runtime_exporter.profiling.threadgroup import without_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runtime_exporter.profiling.profile import Stack
    from runtime_exporter.profiling.pythonstack import Key
    from runtime_exporter.profiling.samplers.collapsed import Line
    from runtime_exporter.profiling.samplers.ledger import Entry

logger = logging.getLogger("runtime_exporter")

Command = Callable[[int, float, bool], Sequence[str]]
"""(pid, rate in Hz, whether only the holder of the GIL is to be looked at) -> the helper's command. Raises ProfileError."""


class OutsideSampler:
    """Runs a helper from one `take()` to the next.

    What it counts says how each thread's CPU time, which the kernel knows, was divided. Where `command` can, it looks at every
    running thread, or, in a program with many, at the holder of the GIL alone: then `capabilities.measures` is "gil", and C
    code that lets go of the GIL is not seen.
    """

    def __init__(
        self,
        name: str,
        command: Command,
        *,
        most_threads: int | None = None,
        pace: Pace | None = None,
        tracer: Tracer | None = None,
        ledger: Ledger | None = None,
        modules: Callable[[], Mapping[str, str]] = modules_by_file,
        pid: Callable[[], int] = os.getpid,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
        own_cpu: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self.name = name
        self._command = command
        self._most_threads = most_threads
        self._pace = pace or Pace()
        self._tracer = tracer or Tracer()
        self._ledger = ledger or Ledger()
        self._modules = modules
        self._pid = pid
        self._clock = clock
        self._unix_clock = unix_clock
        self._own_cpu = own_cpu
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._begin: float | None = None
        self._helper_ns = self._tracer.cpu_ns
        self._complained = False
        self._gil = False

    @property
    def capabilities(self) -> Capabilities:
        """What it measures now: "gil" in a program with many threads."""
        return Capabilities(unbiased=True, threads=True, measures=frozenset({"gil" if self._gil else "cpu"}))

    def start(self) -> None:
        """Start the helper; raises ProfileError when it cannot be."""
        if self._begin is not None:
            return
        self._reset()
        self._ledger.restart()
        self._launch()
        self._begin = self._unix_clock()
        self._pace.restart(self._clock())

    def close(self) -> None:
        """End the helper."""
        with self._lock:
            self._begin = None
            self._tracer.close()

    def forked(self) -> None:
        """In the child: the helper is the parent's."""
        self._tracer.forked()
        self._pace.reseed()
        self._reset()

    def take(self) -> Window:
        """Return what the helper saw since the last call, and let it go on. Waits for it, usually 0.05 s."""
        own = self._own_cpu()
        with self._lock:
            if self._begin is None:
                now = self._unix_clock()
                return Window({}, now, now)
            failed, lines = self._collect()
            tally = Tally()
            try:
                self._distribute(lines, tally)
            except Exception:  # noqa: BLE001 - whatever is wrong with a clock or /proc, the host goes on
                failed += 1
            begin, self._begin = self._begin, self._unix_clock()
            helper, self._helper_ns = self._tracer.cpu_ns - self._helper_ns, self._tracer.cpu_ns
            self._pace.account(helper / 1e9, self._clock())
            if self._pace.paused_until <= self._clock():
                failed += not self._relaunch()
            return Window(
                stacks=tally.named(_as_it_is),
                begin=begin,
                end=self._begin,
                samples=sum(line.samples for line in lines),
                rate=self._pace.rate,
                dropped=failed,
                own_cpu_ns=self._own_cpu() - own,
                helper_cpu_ns=helper,
                pauses=self._pace.take_pauses(),
            )

    def _collect(self) -> tuple[int, Sequence[Line]]:
        if not self._tracer.running:
            return 0, ()
        self._tracer.interrupt()
        try:
            lines = tuple(parse(self._tracer.collect(), self._modules()))
        except (ProfileError, OSError) as error:
            self._complain(error)
            return 1, ()
        self._complained = False
        return 0, lines

    def _relaunch(self) -> bool:
        try:
            self._launch()
        except (ProfileError, OSError) as error:
            self._complain(error)
            return False
        return True

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            logger.warning("no profile: %s", error)
        self._complained = True

    def _launch(self) -> None:
        others = sum(not member.own for member in self._ledger.roster.members.values())
        self._gil = self._most_threads is not None and others > self._most_threads
        self._tracer.start(self._command(self._pid(), self._pace.rate, self._gil))

    def _distribute(self, lines: Sequence[Line], tally: Tally) -> None:
        """Divide each thread's CPU as its samples are; the CPU of ended threads goes to those that were sampled and are gone."""
        rows: dict[int, list[Line]] = {}
        for line in lines:
            rows.setdefault(line.thread, []).append(line)
        for entry in self._ledger.settle():
            found = rows.pop(entry.native_id, None) or rows.pop(entry.ident, None)
            if found and entry.stack is NOT_SAMPLED:
                _add(tally, entry.group, found, entry.cpu_ns)
            elif entry.native_id == 0 and rows:
                self._distribute_ended(rows, entry, tally)
            else:
                tally.add(entry.group, entry.stack, 0, entry.cpu_ns, 0)

    def _distribute_ended(self, rows: Mapping[int, Sequence[Line]], entry: Entry, tally: Tally) -> None:
        shares = split(entry.cpu_ns, [sum(line.samples for line in found) for found in rows.values()])
        for found, share in zip(rows.values(), shares, strict=True):
            _add(tally, without_numbers(found[0].thread_name), found, share)


def _as_it_is(stack: Key | Stack) -> Stack:
    return cast("Stack", stack)


def _add(tally: Tally, group: str, lines: Iterable[Line], cpu_ns: int) -> None:
    lines = tuple(lines)
    for line, share in zip(lines, split(cpu_ns, [line.samples for line in lines]), strict=True):
        tally.add(group, line.stack, line.samples, share, 0)
