"""POST /-/alert: what Alertmanager's webhook sends; alerts that a profile explains have one taken (see `profiling.captures`).

The payload is Alertmanager's version 4 (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from runtime_exporter.profiling.captures import PROFILE, Alert
from runtime_exporter.web.page import Ask, Reply, Route, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.profiling.captures import Captures

PATH: Final = "/-/alert"
VERSION: Final = "4"
MOST_BYTES: Final = 1024 * 1024
"""Of a body: some thousand alerts."""
LINK: Final = "profile_url"
"""The annotation with the page that a notification leads to."""
_LONGEST = 1000  # characters of a label's name or value


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
            alerts = _alerts(body)
        except ValueError as error:
            return json_reply({"error": str(error)}, 400)
        return json_reply({"alerts": [self._answered(self._captures, ask.root, *alert) for alert in alerts]})

    def _answered(self, captures: Captures, root: str, alert: Alert, status: str) -> dict[str, object]:
        row: dict[str, object] = {"alert": alert.name, "fingerprint": alert.fingerprint}
        if status != "firing":
            return {**row, "result": "skipped", "reason": f"it is {status or 'not firing'}"}
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


def _alerts(body: bytes) -> list[tuple[Alert, str]]:
    """Return the alerts of a notification with their states. Raises ValueError saying what is wrong."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is not JSON: {error}") from None
    if not isinstance(sent, dict) or not isinstance(sent.get("alerts"), list):
        raise ValueError("this is no notification of Alertmanager: it has no list of alerts")  # noqa: TRY004 - every wrong value is one kind of error here
    if sent.get("version") != VERSION:
        raise ValueError(f"version {VERSION} of Alertmanager's webhook is understood, not {sent.get('version')!r}")
    return [_alert(one, number) for number, one in enumerate(sent["alerts"])]


def _alert(sent: Any, number: int) -> tuple[Alert, str]:
    if not isinstance(sent, dict):
        raise ValueError(f"alerts[{number}] is no object")  # noqa: TRY004 - as above
    labels, annotations = _texts(sent, "labels", number), _texts(sent, "annotations", number)
    name = labels.get("alertname", "")
    if not name:
        raise ValueError(f"alerts[{number}].labels has no alertname")
    wants = "" if PROFILE in labels else annotations.get(PROFILE, "")
    link = annotations.get(LINK, "")
    return Alert(name, labels, _text(sent, "fingerprint"), link, wants), _text(sent, "status")


def _texts(sent: Mapping[str, Any], key: str, number: int) -> dict[str, str]:
    found = sent.get(key) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f"alerts[{number}].{key} is no object of texts")
    return {_cut(name): _cut(value) for name, value in found.items()}


def _text(sent: Mapping[str, Any], key: str) -> str:
    value = sent.get(key, "")
    return _cut(value) if isinstance(value, str) else ""


def _cut(text: str) -> str:
    """Return a text that is not too long and can be written as UTF-8: JSON may escape half a character."""
    return text[:_LONGEST].encode(errors="replace").decode()
