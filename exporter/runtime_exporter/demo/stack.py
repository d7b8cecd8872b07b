"""The real parts on loopback: the shop with the exporter in it, its customers, Prometheus, Alertmanager, a mail and a Slack sink."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime_exporter.demo import files, watch
from runtime_exporter.demo.processes import Child, Children, undisturbed
from runtime_exporter.demo.sinks import HTTPSink, MailSink
from runtime_exporter.errors import ExporterError, MissingExtraError, MissingToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

READY_LIMIT = 45.0
"""Seconds in which everything must be up; a quiet machine takes 7, of which 5 are Prometheus' first scrape."""

LOAD_LIMIT = 3600
"""Seconds after which the customers go home, whoever forgot them."""

RATE = 30
"""Requests a second."""


@dataclass(frozen=True)
class Tools:
    """Paths of the programs that are not Python's."""

    prometheus: str
    alertmanager: str


def find_tools() -> Tools:
    """Return the programs on PATH. Raises MissingToolError, or MissingExtraError for a Python package that the shop needs."""
    for module in ("flask", "aiosmtpd", "_jsonnet", "grafanalib"):
        _require(module)
    return Tools(
        _which("prometheus", package="prometheus"),
        _which("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager"),
    )


class Stack:
    """Everything that runs. `running()` starts it and ends it; the URLs are known from then on."""

    def __init__(self, tools: Tools, *, rate: float = RATE) -> None:
        self._tools = tools
        self._rate = rate
        self._http = watch.HTTPClient()
        self.mail = MailSink()
        self.slack = HTTPSink()
        self.deadman = HTTPSink()
        self.ports: files.Ports | None = None
        self._children: Children | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[Stack]:
        """Start everything; at the end, however it comes, nothing of it is left. Does not wait: see `wait_until_ready`."""
        parts = contextlib.ExitStack()
        try:
            self._open(parts)
            yield self
        finally:
            with undisturbed():  # a second Ctrl-C must not leave half of it running
                parts.close()

    def wait_until_ready(self, tell: Callable[[str], None], *, limit: float = READY_LIMIT) -> None:
        """Return when every part answers and the rules are evaluated; `tell` hears what is waited for. Raises ExporterError."""
        deadline = time.monotonic() + limit
        for what, ready in self._conditions():
            while not ready():
                tell(what)
                self.check()
                if time.monotonic() > deadline:
                    raise ExporterError(f"{what}: not within {limit:g} s")
                time.sleep(0.1)

    def check(self) -> None:
        """Raise ExporterError when one of the programs has ended."""
        if self._children:
            self._children.check()

    def observe(self) -> watch.Observation:
        """Return what is to be seen now. Raises ExporterError when a part is gone."""
        self.check()
        return watch.Observation(
            time.time(),
            watch.alerts(self._http.get(self.url("prometheus") + "/api/v1/alerts")),
            watch.mails(self.mail.messages) + watch.slacks(self.slack.posts),
        )

    def query(self, expr: str) -> float | None:
        """Return the value of a PromQL expression now, the largest where there are several."""
        return watch.value(self._http.get(self.url("prometheus") + "/api/v1/query", query=expr))

    def page(self, url: str) -> str:
        """Return a page of one of the parts, empty where there is none."""
        return self._http.page(url)

    def switch(self, fault: str, on: bool, settings: Mapping[str, float] | None = None) -> None:
        """Switch a fault of the shop."""
        self._http.post(f"{self.url('shop')}/faults/{fault}", {"on": on, **(settings or {})})

    @property
    def children(self) -> tuple[Child, ...]:
        """The programs that run, in the order in which they were started."""
        return tuple(self._children.started) if self._children else ()

    @property
    def watchdog_heard(self) -> int:
        """How often the dead man's switch has been told that alerting works."""
        return len(self.deadman.posts)

    def url(self, name: str) -> str:
        """Return the URL of a part: shop, exporter, prometheus, alertmanager, slack or deadman."""
        if self.ports is None:
            raise ExporterError("the demo's stack is not running")
        return self.ports.url(name)

    def _conditions(self) -> Iterator[tuple[str, Callable[[], bool]]]:
        for what, name, path in (
            ("the shop answers", "shop", "/products"),
            ("the exporter answers", "exporter", "/-/ready"),
            ("Prometheus is ready", "prometheus", "/-/ready"),
            ("Alertmanager is ready", "alertmanager", "/-/ready"),
        ):
            yield what, lambda name=name, path=path: self._http.answers(self.url(name) + path)  # type: ignore[misc]
        yield "the first scrape", lambda: self.query('up{job="shop"}') == 1
        yield (
            "the first request is measured",
            lambda: bool(self.query("sum(http_server_request_duration_seconds_count)")),
        )
        yield "the rules are evaluated", lambda: self.observe().alert("Watchdog") is not None
        yield "the first notification", lambda: self.watchdog_heard > 0

    def _open(self, parts: contextlib.ExitStack) -> None:
        directory = Path(tempfile.mkdtemp(prefix="runtime-exporter-demo-"))
        parts.callback(shutil.rmtree, directory, ignore_errors=True)
        parts.callback(self._http.close)
        for sink in (self.mail, self.slack, self.deadman):
            parts.enter_context(sink)
        self.ports = _free_ports(mail=self.mail.port, slack=self.slack.port, deadman=self.deadman.port)
        files.write(directory, self.ports)
        self._children = parts.enter_context(Children(directory))
        self._start(directory, self.ports, self._children)

    def _start(self, directory: Path, ports: files.Ports, children: Children) -> None:
        children.start(
            "alertmanager",
            (
                self._tools.alertmanager,
                f"--config.file={directory / 'alertmanager' / 'alertmanager.yml'}",
                f"--storage.path={directory / 'alertmanager-data'}",
                f"--web.listen-address={files.ADDRESS}:{ports.alertmanager}",
                f"--web.external-url={ports.url('alertmanager')}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ),
            environ=_environ(directory, ports),
        )
        children.start(
            "prometheus",
            (
                self._tools.prometheus,
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'prometheus-data'}",
                f"--web.listen-address={files.ADDRESS}:{ports.prometheus}",
                f"--web.external-url={ports.url('prometheus')}",
                # What fires before Prometheus has found its Alertmanager, after 5 s, is lost and told again only so late (default 1m).
                "--rules.alert.resend-delay=1s",
                "--log.level=warn",
            ),
            environ=_environ(directory, ports),
        )
        shop = (sys.executable, "-m", "shop", "--port", str(ports.shop))
        children.start("shop", shop, environ=_environ(directory, ports))
        load = ("--rate", str(self._rate), "--seconds", str(LOAD_LIMIT))
        customers = (sys.executable, "-m", "shop.loadgen", ports.url("shop"), *load)
        children.start("customers", customers, environ=_environ(directory, ports))


def _environ(directory: Path, ports: files.Ports) -> dict[str, str]:
    """Return the environment of the programs: this one, without proxies and without the user's settings of the exporter."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RUNTIME_EXPORTER_")}
    return {
        **own,
        "NO_PROXY": files.ADDRESS,
        "no_proxy": files.ADDRESS,
        "PYTHONFAULTHANDLER": "1",  # what a crash was in is among its last words
        "PYTHONDONTWRITEBYTECODE": "1",  # an installed package may not be writable
        "PYTHONPATH": os.pathsep.join(filter(None, (str(files.shop_root()), own.get("PYTHONPATH")))),
        "RUNTIME_EXPORTER_ADDRESS": files.ADDRESS,
        "RUNTIME_EXPORTER_PORT": str(ports.exporter),
        **{f"RUNTIME_EXPORTER_{name.upper()}": value for name, value in files.SETTINGS.items()},
        "RUNTIME_EXPORTER_PROFILE_DIRECTORY": str(directory / "profiles"),
        "XDG_CONFIG_HOME": str(directory),
    }


def _free_ports(*, mail: int, slack: int, deadman: int) -> files.Ports:
    """Return ports that are free now; all are held until the last is found, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(4)]
        for each in sockets:
            each.bind((files.ADDRESS, 0))
        found = [int(each.getsockname()[1]) for each in sockets]
    shop, exporter, prometheus, alertmanager = found
    return files.Ports(shop, exporter, prometheus, alertmanager, mail, slack, deadman)


def _which(*names: str, package: str) -> str:
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise MissingToolError(names[0], package=package)


def _require(module: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise MissingExtraError("demo", module=module)
