"""POST /-/alert: what Alertmanager's webhook sends; alerts that a profile explains have one taken (see `profiling.captures`).

The payload is read by `web.notification`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from runtime_exporter.profiling.alerts import PROFILE, Alert
from runtime_exporter.web import notification
from runtime_exporter.web.notification import MOST_BYTES
from runtime_exporter.web.page import Ask, Reply, Route, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.captures import Captures

PATH: Final = "/-/alert"
LINK: Final = "profile_url"
"""The annotation with the page that a notification leads to."""


def alert_routes(captures: Captures | None, *, instance: str = "", home: Callable[[], str]) -> tuple[Route, ...]:
    """Return the page that takes alerts; without `captures` it says which setting is off.

    Alerts are about this process when they have no label `instance`, or this one, or, where `instance` is empty, any one
    with our port. `home` is where we are served.
    """
    return (Route(PATH, _Receiver(captures, instance, home), methods=("POST",)),)


class _Receiver:
    """Reads a notification and answers it at once."""

    def __init__(self, captures: Captures | None, instance: str, home: Callable[[], str]) -> None:
        self._captures = captures
        self._instance = instance
        self._home = home

    def __call__(self, ask: Ask) -> Reply:
        if self._captures is None:
            return json_reply({"error": "alerts take no profiles here: the setting alert_profiling is off"}, 501)
        # What a form of a foreign page can send without asking the browser is refused.
        if ask.content_type.partition(";")[0].strip().lower() != "application/json":
            return json_reply({"error": "Content-Type: application/json is needed"}, 415)
        body = ask.body(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            return json_reply({"error": f"a notification has at most {MOST_BYTES} bytes"}, 413)
        try:
            alerts = notification.parse(body)
        except ValueError as error:
            return json_reply({"error": str(error)}, 400)
        return json_reply({"alerts": [self._answered(self._captures, ask.root, alert) for alert in alerts]})

    def _answered(self, captures: Captures, root: str, sent: notification.Alert) -> dict[str, object]:
        alert = _asked(sent)
        row: dict[str, object] = {"alert": alert.name, "fingerprint": alert.fingerprint}
        if sent.status != "firing":
            return {**row, "result": "skipped", "reason": f"it is {sent.status or 'not firing'}"}
        elsewhere = self._elsewhere(alert.labels.get("instance", ""))
        if elsewhere:
            return {**row, "result": "skipped", "reason": elsewhere}
        answer = captures.ask(alert)
        row |= {"profile": answer.kind or None, "url": f"{root}/profiles/alert/{quote(alert.name, safe='')}"}
        if answer.accepted:
            instead = {"reason": answer.instead} if answer.instead else {}
            return {**row, "result": "accepted", "seconds": round(answer.seconds, 1), **instead}
        return {**row, "result": "skipped", "reason": answer.reason}

    def _elsewhere(self, instance: str) -> str:
        """Return why an alert is not about this process; empty where it is."""
        if not instance:
            return ""
        if self._instance:
            ours = self._instance
            return "" if instance == ours else f"it is about {instance}, this is {ours} (setting alert_instance)"
        port = urlsplit(self._home()).port
        if port and instance.rpartition(":")[2] == str(port):
            return ""
        return f"it is about {instance}, this is {self._home() or 'not served by itself'}: the setting alert_instance names it"


def _asked(alert: notification.Alert) -> Alert:
    wants = "" if PROFILE in alert.labels else alert.annotations.get(PROFILE, "")
    return Alert(alert.name, alert.labels, alert.fingerprint, alert.annotations.get(LINK, ""), wants)
