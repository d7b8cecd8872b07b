"""Runs what the policy lets through: one command after the other, on one thread, each written down before it begins."""

from __future__ import annotations

import json
import queue
import threading
from typing import TYPE_CHECKING, Final

from runtime_exporter.act.audit import BEGUN, Audit, now
from runtime_exporter.act.command import Outcome, run
from runtime_exporter.act.metrics import AUDIT
from runtime_exporter.act.trust import distrust
from runtime_exporter.logs import LOGGER, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.act.metrics import ActMetrics
    from runtime_exporter.act.policy import Order

MOST_WAITING: Final = 16
"""Commands that wait for the one that runs; more are refused."""


class Runner:
    """A queue and the thread that works it off. The constructor has no effects; `start` has."""

    def __init__(self, audit: Audit, metrics: ActMetrics, take_back: Callable[[Order], None]) -> None:
        """`take_back` is told of an order that could not be begun: its alert may ask again."""
        self._audit = audit
        self._metrics = metrics
        self._take_back = take_back
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
            self._take_back(order)
            self._metrics.refused(AUDIT)
            return
        outcome = self._outcome(order)
        self._metrics.ended(action.name, outcome, now())
        row: dict[str, object] = {
            "code": outcome.code,
            "seconds": round(outcome.seconds, 3),
            "problem": outcome.problem,
        }
        if outcome.left:
            row["left"] = outcome.left
            LOGGER.warning("%s left processes behind, which were ended: %s", action.name, ", ".join(outcome.left))
        self._note("ended", order, **row, output=outcome.output)
        how = outcome.problem or f"it returned {outcome.code}"
        level = LOGGER.info if outcome.ok else LOGGER.error
        level("%s for %s: %s after %.1f s", action.name, printable(alert.name), how, outcome.seconds)

    def _outcome(self, order: Order) -> Outcome:
        action, alert = order.action, order.alert
        if reason := _distrust(order.command[0]):
            return Outcome(None, 0.0, "", f"it could not be started: {reason}")
        asked = {"alertname": alert.name, "status": alert.status, "labels": dict(alert.labels)}
        return run(
            order.command,
            said=json.dumps(asked).encode(),
            timeout=action.timeout,
            environment=action.environment,
            directory=action.directory,
            stop=self._stopping.is_set,
        )

    def _note(self, event: str, order: Order, **more: object) -> bool:
        try:
            self._audit.write(event, action=order.action.name, alert=order.alert.name, command=order.command, **more)
        except OSError as error:
            what = "is not run" if event == BEGUN else f"{event}, and nobody has it in writing"
            LOGGER.error("%s %s: the audit log cannot be written: %s", order.action.name, what, error)
            return False
        return True


def _distrust(program: str) -> str:
    """Return why a program is not to be run any more: it was trusted at the start, and may have been changed."""
    try:
        return distrust(program)
    except OSError as error:
        return error.strerror or str(error)
