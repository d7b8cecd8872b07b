"""POST /-/act: who has the secret posts alerts, and hears at once what is run, what is not, and why not."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.act import metrics as metrics_of
from runtime_exporter.act.audit import Audit, now
from runtime_exporter.act.policy import Order, Policy, Refusal
from runtime_exporter.logs import LOGGER, StateLog, printable
from runtime_exporter.web import notification
from runtime_exporter.web.metrics_page import make_metrics_page
from runtime_exporter.web.page import Ask, Reply, Route, json_reply, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication

    from runtime_exporter.act.metrics import ActMetrics
    from runtime_exporter.web.notification import Alert

PATH: Final = "/-/act"
FEWEST_SECRET_BYTES: Final = 16
_MOST_SECRET_BYTES = 4096
_UNREADABLE = (400, 413, 415)
_OPEN_PATHS = ("/-/healthy", "/metrics")


class Secret:
    """The shared secret in a file, read anew for every request: a new one needs no restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = StateLog()

    def read(self) -> bytes:
        """Return the secret. Raises ValueError where there is none worth the name."""
        try:
            with self._path.open("rb") as file:
                secret = file.read(_MOST_SECRET_BYTES).strip()
        except OSError as error:
            raise ValueError(f"{self._path}: {error.strerror}") from None
        if len(secret) < FEWEST_SECRET_BYTES:
            raise ValueError(f"{self._path}: at least {FEWEST_SECRET_BYTES} bytes are needed (openssl rand -hex 32)")
        return secret

    def allows(self, authorization: str) -> bool:
        """Return whether an Authorization header has the secret, as a bearer token or as the password of any user."""
        try:
            secret = self.read()
        except ValueError as error:
            self._log.report("secret", "unreadable", f"nobody is let in: {error}")
            return False
        self._log.report("secret", "ok", "the secret can be read again")
        return hmac.compare_digest(_shown(authorization), secret)


def guarded(app: WSGIApplication, secret: Secret, metrics: ActMetrics) -> WSGIApplication:
    """Return `app`, answering only those who show the secret; that it lives, and its numbers, are everybody's to know.

    Who scrapes must not need a secret with which commands are run.
    """

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "") in _OPEN_PATHS or secret.allows(environ.get("HTTP_AUTHORIZATION", "")):
            return app(environ, start_response)
        metrics.refused(metrics_of.SECRET)
        body = b"401 Unauthorized\n"
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response("401 Unauthorized", [*headers, ("WWW-Authenticate", "Bearer")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


def routes(
    policy: Policy, audit: Audit, submit: Callable[[Order], bool] | None, metrics: ActMetrics
) -> tuple[Route, ...]:
    """Return the pages. Without `submit` nothing is run: it is said what would be."""
    return (
        Route("/-/healthy", lambda _: text("alive\n")),
        Route("/metrics", make_metrics_page(lambda form, names=None: form.render(metrics.families, names))),
        Route(PATH, _Receiver(policy, audit, submit, metrics), methods=("POST",)),
    )


class _Receiver:
    """Reads a notification and answers it at once."""

    def __init__(
        self, policy: Policy, audit: Audit, submit: Callable[[Order], bool] | None, metrics: ActMetrics
    ) -> None:
        self._policy = policy
        self._metrics = metrics
        self._audit = audit
        self._submit = submit

    def __call__(self, ask: Ask) -> Reply:
        reply = self._reply(ask)
        if reply.status in _UNREADABLE:
            self._metrics.refused(metrics_of.UNREADABLE)
        return reply

    def _reply(self, ask: Ask) -> Reply:
        if ask.content_type.partition(";")[0].strip().lower() != "application/json":
            return json_reply({"error": "Content-Type: application/json is needed"}, 415)
        body = ask.body(notification.MOST_BYTES + 1)
        if len(body) > notification.MOST_BYTES:
            return json_reply({"error": f"a notification has at most {notification.MOST_BYTES} bytes"}, 413)
        try:
            alerts = notification.parse(body)
        except ValueError as error:
            return json_reply({"error": str(error)}, 400)
        try:
            rows = [row for alert in alerts for row in self._answers(alert)]
        except OSError as error:
            LOGGER.error("nothing is run: the audit log cannot be written: %s", error)
            self._metrics.refused(metrics_of.AUDIT)
            return json_reply({"error": "the audit log cannot be written, so nothing is run"}, 503)
        return json_reply({"dry_run": self._submit is None, "alerts": rows})

    def _answers(self, alert: Alert) -> list[dict[str, object]]:
        return [self._answer(decision) for decision in self._policy.decide(alert, now())]

    def _answer(self, decision: Order | Refusal) -> dict[str, object]:
        if isinstance(decision, Refusal):
            return self._refused(decision)
        row: dict[str, object] = {"alert": decision.alert.name, "action": decision.action.name}
        row["command"] = decision.command
        if self._submit is None:
            row["result"] = "dry run"
            self._audit.write("dry run", **row, labels=decision.alert.labels)
            LOGGER.info("%s would be run for %s", decision.action.name, printable(decision.alert.name))
            return row
        try:
            self._audit.write("accepted", **row, labels=decision.alert.labels)
        except OSError:
            self._policy.take_back(decision)
            raise
        if self._submit(decision):
            return {**row, "result": "accepted"}
        self._policy.take_back(decision)
        return self._refused(Refusal(decision.alert, "too many commands wait", decision.action.name, metrics_of.BUSY))

    def _refused(self, refusal: Refusal) -> dict[str, object]:
        self._metrics.refused(refusal.kind)
        row: dict[str, object] = {"alert": refusal.alert.name, "action": refusal.action or None}
        self._audit.write("refused", **row, reason=refusal.reason, labels=refusal.alert.labels)
        return {**row, "result": "refused", "reason": refusal.reason}


def _shown(authorization: str) -> bytes:
    """Return the token, or the password, in an Authorization header; nothing where it has none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("latin-1", "replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
