"""Runs what the policy lets through: one command after the other, on one thread, each written down before it begins."""

from __future__ import annotations

import json
import queue
import threading
from typing import TYPE_CHECKING, Final

from runtime_exporter.act.audit import BEGUN, Audit, now
from runtime_exporter.act.command import run
from runtime_exporter.logs import LOGGER, printable

if TYPE_CHECKING:
    from runtime_exporter.act.metrics import ActMetrics
    from runtime_exporter.act.policy import Order

MOST_WAITING: Final = 16
"""Commands that wait for the one that runs; more are refused."""


class Runner:
    """A queue and the thread that works it off. The constructor has no effects; `start` has."""

    def __init__(self, audit: Audit, metrics: ActMetrics) -> None:
        self._audit = audit
        self._metrics = metrics
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="runtime-exporter-act", daemon=True)

    def start(self) -> None:
        """Begin to take orders."""
        self._thread.start()  # with its signals, since a command inherits the mask, and could not be ended by SIGTERM

    def submit(self, order: Order) -> bool:
        """Have a command run when it is its turn; return False where too many wait."""
        if self._stopping.is_set() or self._orders.qsize() >= MOST_WAITING:
            return False
        self._orders.put(order)
        return True

    def close(self) -> None:
        """End the command that runs and forget those that wait. A second call does nothing."""
        self._stopping.set()
        self._orders.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            if self._stopping.is_set():
                self._note("dropped", order, reason="we were ended before its turn")
            else:
                self._run(order)

    def _run(self, order: Order) -> None:
        action, alert = order.action, order.alert
        # Before it begins, since what is not written down was never allowed.
        if not self._note(BEGUN, order, at=now(), episode=alert.episode):
            return
        asked = {"alertname": alert.name, "status": alert.status, "labels": dict(alert.labels)}
        outcome = run(
            order.command,
            said=json.dumps(asked).encode(),
            timeout=action.timeout,
            environment=action.environment,
            directory=action.directory,
            stop=self._stopping.is_set,
        )
        self._metrics.ended(action.name, outcome, now())
        seconds = round(outcome.seconds, 3)
        self._note("ended", order, code=outcome.code, seconds=seconds, problem=outcome.problem, output=outcome.output)
        how = outcome.problem or f"it returned {outcome.code}"
        level = LOGGER.info if outcome.ok else LOGGER.error
        level("%s for %s: %s after %.1f s", action.name, printable(alert.name), how, outcome.seconds)

    def _note(self, event: str, order: Order, **more: object) -> bool:
        try:
            self._audit.write(event, action=order.action.name, alert=order.alert.name, command=order.command, **more)
        except OSError as error:
            LOGGER.error("%s is not run: the audit log cannot be written: %s", order.action.name, error)
            return False
        return True
