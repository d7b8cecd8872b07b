"""What Alertmanager's webhook sends (version 4), read to plain alerts.

The format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = "4"
MOST_BYTES: Final = 1024 * 1024
"""Of a body: some thousand alerts."""
_LONGEST = 1000  # characters of a label's name or value


@dataclass(frozen=True)
class Alert:
    """One alert of a notification."""

    name: str
    status: str
    """firing or resolved."""
    labels: Mapping[str, str]
    fingerprint: str = ""
    starts_at: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def episode(self) -> str:
        """What is the same as long as the same alert lasts, and no longer."""
        own = self.fingerprint or json.dumps(dict(self.labels), sort_keys=True)
        return f"{own} {self.starts_at} {self.status}"


def parse(body: bytes) -> list[Alert]:
    """Return the alerts of a notification. Raises ValueError saying what is wrong."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is not JSON: {error}") from None
    if not isinstance(sent, dict) or not isinstance(sent.get("alerts"), list):
        raise ValueError("this is no notification of Alertmanager: it has no list of alerts")  # noqa: TRY004 - every wrong value is one kind of error here
    if sent.get("version") != VERSION:
        raise ValueError(f"version {VERSION} of Alertmanager's webhook is understood, not {sent.get('version')!r}")
    return [_alert(one, number) for number, one in enumerate(sent["alerts"])]


def _alert(sent: Any, number: int) -> Alert:
    if not isinstance(sent, dict):
        raise ValueError(f"alerts[{number}] is no object")  # noqa: TRY004 - as above
    labels, annotations = _texts(sent, "labels", number), _texts(sent, "annotations", number)
    name = labels.get("alertname", "")
    if not name:
        raise ValueError(f"alerts[{number}].labels has no alertname")
    return Alert(
        name,
        _text(sent.get("status")),
        labels,
        _text(sent.get("fingerprint")),
        _text(sent.get("startsAt")),
        annotations,
    )


def _texts(sent: Mapping[str, Any], key: str, number: int) -> dict[str, str]:
    found = sent.get(key) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f"alerts[{number}].{key} is no object of texts")
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: object) -> str:
    """Return a text that can be written as UTF-8, since JSON may escape half a character; a too long one is another's: cut."""
    return value[:_LONGEST].encode(errors="replace").decode() if isinstance(value, str) else ""
