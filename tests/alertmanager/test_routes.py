"""Who hears of what: Alertmanager's own routing, asked by amtool."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from notifications import write
from tools import require

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("routes"))


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("critical", "alertname=RuntimeTargetDown severity=critical job=shop"),
        ("warning", "alertname=RuntimeCpuSpike severity=warning job=shop"),
        ("info", "alertname=RuntimeLabelsFolded severity=info job=shop"),
        ("watchdog", "alertname=Watchdog severity=none"),
        ("null", "alertname=InfoInhibitor severity=none"),
        # Somebody else's words for how bad it is, or none: heard all the same.
        ("warning", "alertname=DiskFull severity=page"),
        ("warning", "alertname=DiskFull"),
    ],
)
def test_an_alert_goes_to_the_receiver_of_its_severity(config: Path, receiver: str, labels: str) -> None:
    amtool = require("amtool", package="prometheus-alertmanager")
    command = [amtool, "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receiver}"]
    asked = subprocess.run([*command, *labels.split()], capture_output=True, text=True, timeout=30, check=False)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert asked.stdout.strip() == receiver
