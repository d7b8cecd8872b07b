"""POST /-/alert of the agent: each alert of a notification goes to the target that it is about, by its instance and job."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runtime_exporter.agent.discovery import MOUNT
from runtime_exporter.web.alert import PATH
from runtime_exporter.web.notification import MOST_BYTES
from runtime_exporter.web.page import Ask, Reply, Route, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runtime_exporter.agent.watched import Watched

_OK = 200


def alerts_route(watched: Callable[[], Iterable[Watched]]) -> Route:
    """Return the page. A target reads its part as if the notification had come to its own /-/alert."""
    return Route(PATH, _Receiver(watched), methods=("POST",))


class _Receiver:
    """Sorts the alerts, and puts the answers together in the order of the alerts."""

    def __init__(self, watched: Callable[[], Iterable[Watched]]) -> None:
        self._watched = watched

    def __call__(self, ask: Ask) -> Reply:
        body = ask.body(MOST_BYTES + 1)
        targets = tuple(self._watched())
        sent = _notification(body)
        if sent is None:
            return _refusal(ask, body, targets)
        rows: list[object] = []
        for alert in sent["alerts"]:
            one = _about(alert, targets)
            if one is None:
                rows.append(_elsewhere(alert))
                continue
            reply = _asked(ask, {"version": sent.get("version"), "alerts": [alert]}, one)
            if reply.status != _OK:
                return reply
            rows.extend(json.loads(reply.body)["alerts"])
        return json_reply({"alerts": rows})


def _notification(body: bytes) -> dict[str, Any] | None:
    """Return a notification as far as it has to be one to be sorted; None where it is none."""
    try:
        sent = json.loads(body) if len(body) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(sent, dict) or not isinstance(sent.get("alerts"), list):
        return None
    fine = all(isinstance(alert, dict) and isinstance(alert.get("labels"), dict) for alert in sent["alerts"])
    return sent if fine else None


def _refusal(ask: Ask, body: bytes, targets: Iterable[Watched]) -> Reply:
    """Return what a target's own page says of such a body: it knows what is wrong with it."""
    one = next(iter(targets), None)
    if one is None:
        return json_reply({"error": "no target is watched"}, 503)
    return one.alerts(replace(ask, body=lambda most: body[:most]))


def _about(alert: Mapping[str, Any], targets: Iterable[Watched]) -> Watched | None:
    """Return the target that an alert is about: its instance, and its job where the alert has one."""
    labels = alert["labels"]
    for one in targets:
        if labels.get("instance") == one.target.instance and labels.get("job", one.target.job) == one.target.job:
            return one
    return None


def _asked(ask: Ask, sent: Mapping[str, Any], one: Watched) -> Reply:
    body = json.dumps(sent).encode()
    return one.alerts(replace(ask, root=f"{ask.root}{MOUNT}/{one.target.name}", body=lambda most: body[:most]))


def _elsewhere(alert: Mapping[str, Any]) -> dict[str, object]:
    labels = alert["labels"]
    where = f"instance {labels['instance']!r}" if "instance" in labels else "no instance"
    return {
        "alert": labels.get("alertname", ""),
        "fingerprint": alert.get("fingerprint", ""),
        "result": "skipped",
        "reason": f"no target has its job and instance: it is about {where}",
    }
