"""What the demo sees: the alerts of a Prometheus, and the messages that reached the mail server and the Slack endpoint."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import requests

from runtime_exporter.errors import ExporterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runtime_exporter.demo.sinks import Mail, Post

TIMEOUT = 10.0
"""Seconds for one answer from loopback, on a machine that is busy."""

_LINK = re.compile(r'<a [^>]*href="([^"]+)"[^>]*>Profile</a>')


@dataclass(frozen=True)
class Alert:
    """An alert that is pending or firing; `active` is the Unix time at which its expression became true."""

    name: str
    state: str
    active: float

    @property
    def firing(self) -> bool:
        """Whether it has been true for as long as its rule wants."""
        return self.state == "firing"


@dataclass(frozen=True)
class Message:
    """A notification as it arrived. The headline is a mail's subject, or the title of a Slack message; the text is what follows."""

    channel: str
    headline: str
    received: float
    text: str = ""
    profiles: tuple[str, ...] = ()
    """URLs behind the word Profile."""

    @property
    def resolved(self) -> bool:
        """Whether it says that an alert is over."""
        return "RESOLVED" in self.headline

    def about(self, alert: str) -> bool:
        """Return whether the headline names `alert`."""
        return alert in self.headline

    def profile(self, function: str) -> str:
        """Return the URL of the profile for an alert about `function`, else of the first one; empty where there is none."""
        named = [url for url in self.profiles if function in parse_qs(urlsplit(url).query).get("function", ())]
        return next(iter((*named, *self.profiles)), "")


@dataclass(frozen=True)
class Observation:
    """One look at everything, at the Unix time `at`."""

    at: float
    alerts: tuple[Alert, ...] = ()
    messages: tuple[Message, ...] = ()

    def alert(self, name: str) -> Alert | None:
        """Return the alert of that name, a firing one before a pending one."""
        found = sorted((alert for alert in self.alerts if alert.name == name), key=lambda alert: not alert.firing)
        return found[0] if found else None

    def message(self, channel: str, alert: str, *, resolved: bool, since: float, naming: str = "") -> Message | None:
        """Return the first message of that kind that arrived after `since` and has `naming` in its text."""
        return next(
            (
                message
                for message in self.messages
                if message.channel == channel
                and message.resolved == resolved
                and message.received >= since
                and message.about(alert)
                and naming in message.text
            ),
            None,
        )


class HTTPClient:
    """Asks what listens on loopback; no proxy, no redirect. Raises ExporterError with what was asked and what went wrong."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy is for the world outside

    def get(self, url: str, **parameters: str) -> Any:
        """Return the JSON at `url`."""
        return self._json("GET", url, params=parameters)

    def post(self, url: str, body: Mapping[str, object]) -> Any:
        """Send `body` as JSON and return the JSON that comes back."""
        return self._json("POST", url, json=body)

    def page(self, url: str) -> str:
        """Return the page at `url`, empty where there is none (any more)."""
        try:
            reply = self._session.get(url, timeout=TIMEOUT)
        except requests.RequestException:
            return ""
        return reply.text if reply.ok else ""

    def answers(self, url: str) -> bool:
        """Return whether `url` answers with 200."""
        try:
            return self._session.get(url, timeout=TIMEOUT).ok
        except requests.RequestException:
            return False

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._session.close()

    def _json(self, method: str, url: str, **options: Any) -> Any:
        try:
            reply = self._session.request(method, url, timeout=TIMEOUT, **options)
            reply.raise_for_status()
            return reply.json()
        except (requests.RequestException, ValueError) as error:
            raise ExporterError(f"{method} {url}: {error}") from error


def alerts(answer: Mapping[str, Any]) -> tuple[Alert, ...]:
    """Return the alerts in the answer of Prometheus' /api/v1/alerts."""
    return tuple(
        Alert(each["labels"]["alertname"], each["state"], _unix(each["activeAt"])) for each in answer["data"]["alerts"]
    )


def value(answer: Mapping[str, Any]) -> float | None:
    """Return the largest value in the answer of an instant query, or None where it has none."""
    return max((float(each["value"][1]) for each in answer["data"]["result"]), default=None)


def mails(messages: Iterable[Mail]) -> tuple[Message, ...]:
    """Return what the mail server received."""
    return tuple(
        Message("mail", mail.subject, mail.received, mail.text, tuple(map(html.unescape, _LINK.findall(mail.html))))
        for mail in messages
    )


def slacks(posts: Iterable[Post]) -> tuple[Message, ...]:
    """Return what the Slack endpoint received."""
    return tuple(
        Message("slack", attachment.get("title", ""), post.received, attachment.get("text", ""), _buttons(attachment))
        for post in posts
        for attachment in post.json.get("attachments", [])
    )


def _buttons(attachment: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(button["url"] for button in attachment.get("actions", ()) if button.get("text") == "Profile")


def _unix(text: str) -> float:
    """Return the Unix time that Go wrote: RFC 3339 with up to nine digits of a second, of which Python 3.10 reads six."""
    moment, dot, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{moment}{dot}{fraction[:6].ljust(6, '0') if dot else ''}+00:00").timestamp()
