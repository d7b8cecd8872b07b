"""A real Alertmanager that delivers to a real SMTP server and to HTTP endpoints, all on loopback."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import yaml

from runtime_exporter.demo.sinks import HTTPSink, Mail, MailSink
from runtime_exporter.mixin import jsonnet
from tools import free_port, require, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]
EXTERNAL_URL = "http://alertmanager.example:9093"
PASSWORD = "smtp-secret"
TOKEN = "webhook-token"
STARTS = "2026-01-01T10:00:00Z"
FAR_FUTURE = "2099-01-01T00:00:00Z"


def render(overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return alertmanager.yml as an object, from the defaults and `overrides` of `_config`."""
    return jsonnet.evaluate("tests/alertmanager/render.jsonnet", config=overrides or {}, root=ROOT)


def write(directory: Path, overrides: Mapping[str, Any] | None = None) -> Path:
    """Write alertmanager.yml and the templates as `generate` lays them out; return the file's path."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "templates").symlink_to(ROOT / "alertmanager" / "templates")
    path = directory / "alertmanager.yml"
    path.write_text(yaml.safe_dump(render(overrides), sort_keys=False, allow_unicode=True))
    return path


def alert(
    job: str,
    *,
    name: str = "RuntimeMemoryLeakSuspected",
    severity: str = "critical",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    ends: str = FAR_FUTURE,
) -> dict[str, Any]:
    """Return an alert as Prometheus posts it; an empty value removes a label or an annotation."""
    own = {"alertname": name, "severity": severity, "job": job, "instance": "10.0.0.7:9464", **(labels or {})}
    said = {
        "summary": "The memory of a process grows in a straight line.",
        "description": f"{job} on {own['instance']} has grown by 312.4MiB within the last 6h, steadily and still.",
        "suggested_actions": "- Compare python_object_types of now and of some hours ago.\n- Look at what outlives a request: dicts & lists of modules.\n- To gain time, recycle the workers.",
        "runbook_url": f"http://localhost:9464/runbooks/{name}",
        "dashboard_url": "http://localhost:3000/d/runtime-exporter-runtime?var-job=shop&var-instance=10.0.0.7%3A9464",
        "profile_url": f"http://10.0.0.7:9464/profiles/alert/{name}",
        **(annotations or {}),
    }
    return {
        "labels": {key: value for key, value in own.items() if value},
        "annotations": {key: value for key, value in said.items() if value},
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=process_resident_memory_bytes+%3E+1e%2B09&g0.tab=1",
        "startsAt": STARTS,
        "endsAt": ends,
    }


@dataclass(frozen=True)
class Delivery:
    """A running Alertmanager and the places where its notifications end."""

    url: str
    mail: MailSink
    slack: HTTPSink
    webhook: HTTPSink
    watchdog: HTTPSink
    profiler: HTTPSink

    def post(self, *alerts: Mapping[str, Any]) -> None:
        """Send alerts as Prometheus does."""
        answer = requests.post(f"{self.url}/api/v2/alerts", json=alerts, timeout=5)
        assert answer.status_code == 200, answer.text

    def alerts(self, *matchers: str) -> list[dict[str, Any]]:
        """Return the alerts that Alertmanager has, by matchers such as 'job="shop"'."""
        answer = requests.get(f"{self.url}/api/v2/alerts", params={"filter": list(matchers)}, timeout=5)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def attachment(self, job: str, saying: str) -> dict[str, Any]:
        """Return the newest Slack attachment whose title has both words, once it is there."""

        def found() -> dict[str, Any] | None:
            for post in reversed(self.slack.posts):
                attachment: dict[str, Any] = post.json["attachments"][0]
                if f"· {job}" in attachment["title"] and saying in attachment["title"]:
                    return attachment
            return None

        return wait_for(found, what=f"{saying} about {job} in Slack") or {}

    def letter(self, job: str, saying: str) -> Mail:
        """Return the newest mail whose subject has both words, once it is there."""

        def found() -> Mail | None:
            for mail in reversed(self.mail.messages):
                if f": {job}" in mail.subject and saying in mail.subject:
                    return mail
            return None

        mail = wait_for(found, what=f"a mail that says {saying} about {job}")
        assert mail is not None
        return mail


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Delivery]:
    """Start Alertmanager with every channel switched on; afterwards none of its deliveries may have failed."""
    with (
        MailSink(password=PASSWORD) as mail,
        HTTPSink() as slack,
        HTTPSink() as webhook,
        HTTPSink() as watchdog,
        HTTPSink() as profiler,
    ):
        for name, secret in {"slack": slack.url + "services/T0/B0/x", "smtp": PASSWORD, "token": TOKEN}.items():
            (directory / name).write_text(secret)
        url = f"http://127.0.0.1:{free_port()}"
        config = write(directory / "config", _everything_on(directory, mail, webhook, watchdog, profiler))
        log = directory / "alertmanager.log"
        with log.open("wb") as output, subprocess.Popen(_command(config, url), stdout=output, stderr=output) as process:
            try:
                wait_for(lambda: process.poll() is not None or _ready(url), what="a ready Alertmanager")
                assert process.poll() is None, log.read_text()
                yield Delivery(url, mail, slack, webhook, watchdog, profiler)
            finally:
                process.terminate()
                process.wait(timeout=15)
        assert [line for line in log.read_text().splitlines() if "level=error" in line.lower()] == []


def _everything_on(
    directory: Path, mail: MailSink, webhook: HTTPSink, watchdog: HTTPSink, profiler: HTTPSink
) -> dict[str, Any]:
    return {
        "alertmanager": {
            "groupWait": "500ms",
            "groupInterval": "1s",
            "slack": {"apiUrlFile": str(directory / "slack")},
            "email": {
                "smarthost": f"127.0.0.1:{mail.port}",
                "authUsername": "alerts",
                "authPasswordFile": str(directory / "smtp"),
                "tls": "never",
            },
            "warning": {"email": True},
            "webhook": {"url": webhook.url, "credentialsFile": str(directory / "token"), "maxAlerts": 3},
            "profiling": {"enabled": True, "url": profiler.url, "credentialsFile": str(directory / "token")},
            "watchdog": {"url": watchdog.url, "interval": "1s"},
        }
    }


def _command(config: Path, url: str) -> list[str]:
    return [
        require("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={config.parent / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        f"--web.external-url={EXTERNAL_URL}",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
    ]


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=1).status_code == 200
    except requests.RequestException:
        return False
