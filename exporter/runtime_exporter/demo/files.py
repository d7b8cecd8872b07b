"""The configuration that the demo's programs read: the generated bundle with short windows, and Prometheus' own file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from runtime_exporter.mixin import bundle, config, generate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ADDRESS = "127.0.0.1"

SETTINGS = {
    "profiling": "true",
    # A profile a second, each compared with at least ten before it: three in a row confirm a regression, in four seconds.
    # By default it is five minutes that are compared with three hours, three times.
    "profile_interval": "1s",
    "profile_comparison_windows": "1",
    "profile_baseline_windows": "10",
    "profile_top": "30",
    # Sixty times as many profiles cost more than one percent, and on a busy machine a sampler of its own is dear to start.
    "overhead_budget": "0.3",
    "alert_profile_seconds": "1s",
    # No tracing of allocations: CPython before 3.12.9 and 3.13.2 can crash when that is switched off while threads allocate
    # (gh-128679), and the shop, which does little else while it leaves garbage, ended with SIGSEGV once.
    "alert_heap_seconds": "0",
    "alert_pause": "1s",
}
"""The exporter's settings in the shop: profiles as short as the demo, which lasts two minutes."""


@dataclass(frozen=True)
class Ports:
    """Where everybody listens, on loopback."""

    shop: int
    exporter: int
    prometheus: int
    alertmanager: int
    mail: int
    slack: int
    deadman: int

    def url(self, name: str) -> str:
        """Return the address of one of them as a URL without a path."""
        return f"http://{ADDRESS}:{getattr(self, name)}"


def shop_root() -> Path:
    """Return the directory that holds the package `shop`."""
    return bundle.root() / "examples"


def overrides(ports: Ports, slack_url_file: Path) -> dict[str, Any]:
    """Return examples/shop/demo.yaml with this run's addresses over it. Raises ConfigError where that file is wrong."""
    return config.compose(config.load([shop_root() / "shop" / "demo.yaml"]).values, _addresses(ports, slack_url_file))


def write(directory: Path, ports: Ports) -> None:
    """Write everything below `directory`. Raises ConfigError, BundleError."""
    slack_url_file = directory / "slack_api_url"
    slack_url_file.write_text(ports.url("slack") + "/services/demo", encoding="utf-8")
    effective = overrides(ports, slack_url_file)
    for name, text in generate.generate(effective).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    prometheus = yaml.safe_dump(_prometheus(ports, effective), sort_keys=False)
    (directory / "prometheus.yml").write_text(prometheus, encoding="utf-8")


def _addresses(ports: Ports, slack_url_file: Path) -> dict[str, Any]:
    return {
        "prometheusUrl": ports.url("prometheus"),
        "alertmanagerUrl": ports.url("alertmanager"),
        "runbookURLPattern": ports.url("exporter") + "/runbooks/%s",
        "alertmanager": {
            "slack": {"apiUrlFile": str(slack_url_file)},
            "email": {"smarthost": f"{ADDRESS}:{ports.mail}"},
            "watchdog": {"url": ports.url("deadman")},
            "profiling": {"url": ports.url("exporter") + "/-/alert"},
        },
    }


def _prometheus(ports: Ports, effective: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "global": {
            "scrape_interval": effective["scrapeInterval"],
            "scrape_timeout": effective["scrapeTimeout"],
            "evaluation_interval": effective["evaluationInterval"],
        },
        "rule_files": ["rules/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"{ADDRESS}:{ports.alertmanager}"]}]}]},
        "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [f"{ADDRESS}:{ports.exporter}"]}]}],
    }
