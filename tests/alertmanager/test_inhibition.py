"""What mutes what: asked of a real Alertmanager, alert by alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from notifications import alert
from tools import wait_for

if TYPE_CHECKING:
    from notifications import Delivery

NEAR_LIMIT = "RuntimeMemoryNearLimit"
BURN = "RuntimeHttpErrorBudgetBurn"
DOWN = "RuntimeTargetDown"
WHOLE_SERVICE = {"instance": ""}


def row(name: str, severity: str, **labels: str) -> dict[str, Any]:
    """An alert without its job, which each case adds."""
    return {"name": name, "severity": severity, "labels": labels}


CASES = {
    "critical mutes the warning of the same instance": (row(NEAR_LIMIT, "critical"), row(NEAR_LIMIT, "warning"), True),
    "critical mutes the info of the same instance": (row(NEAR_LIMIT, "critical"), row(NEAR_LIMIT, "info"), True),
    "critical leaves another instance alone": (
        row(NEAR_LIMIT, "critical"),
        row(NEAR_LIMIT, "warning", instance="10.0.0.8:9464"),
        False,
    ),
    "critical leaves another alert alone": (row(NEAR_LIMIT, "critical"), row("RuntimeCpuSpike", "warning"), False),
    "warning mutes no info": (row(NEAR_LIMIT, "warning"), row(NEAR_LIMIT, "info"), False),
    "critical mutes the warning about the same service": (
        row(BURN, "critical", **WHOLE_SERVICE, long="1h"),
        row(BURN, "warning", **WHOLE_SERVICE, long="3d"),
        True,
    ),
    "critical of one route leaves another route alone": (
        row(BURN, "critical", **WHOLE_SERVICE, http_route="/a"),
        row(BURN, "warning", **WHOLE_SERVICE, http_route="/b"),
        False,
    ),
    "critical of a service leaves an instance alone": (
        row(BURN, "critical", **WHOLE_SERVICE),
        row(BURN, "warning"),
        False,
    ),
    "another cluster is another place": (
        row(NEAR_LIMIT, "critical", cluster="eu"),
        row(NEAR_LIMIT, "warning", cluster="us"),
        False,
    ),
    "an instance that is down mutes the rest of it": (row(DOWN, "warning"), row(NEAR_LIMIT, "critical"), True),
    "an instance that is down leaves its neighbour alone": (
        row(DOWN, "warning"),
        row(NEAR_LIMIT, "critical", instance="10.0.0.8:9464"),
        False,
    ),
    "an instance that is down leaves its service alone": (
        row(DOWN, "warning"),
        row(BURN, "critical", **WHOLE_SERVICE),
        False,
    ),
    "a service that is down mutes its instances": (row(DOWN, "critical", **WHOLE_SERVICE), row(DOWN, "warning"), True),
    "a service that is down mutes what else is said of it": (
        row(DOWN, "critical", **WHOLE_SERVICE),
        row(BURN, "critical", **WHOLE_SERVICE),
        True,
    ),
    "a regression mutes what says less of the same function": (
        row("RuntimeProfileRegression", "warning", function="a:f", profile="cpu"),
        row("RuntimeProfileNewDominantFunction", "info", **WHOLE_SERVICE, function="a:f"),
        True,
    ),
    "a regression leaves another function alone": (
        row("RuntimeProfileRegression", "warning", function="a:f", profile="cpu"),
        row("RuntimeProfileNewDominantFunction", "info", **WHOLE_SERVICE, function="a:g"),
        False,
    ),
    "a slow route mutes that its service is slower than last week": (
        row("RuntimeHttpLatencyHigh", "warning", **WHOLE_SERVICE, http_route="/a"),
        row("RuntimeHttpLatencyRegression", "warning", **WHOLE_SERVICE),
        True,
    ),
    "a slow route leaves a service of another cluster alone": (
        row("RuntimeHttpLatencyHigh", "warning", **WHOLE_SERVICE, http_route="/a", cluster="eu"),
        row("RuntimeHttpLatencyRegression", "warning", **WHOLE_SERVICE, cluster="us"),
        False,
    ),
    "growing memory mutes what the profiler says of the same": (
        row("RuntimeMemoryLeakSuspected", "warning"),
        row("RuntimeProfileLeakSuspect", "info", kind="rss"),
        True,
    ),
    "growing memory leaves alone what says which objects": (
        row("RuntimeMemoryLeakSuspected", "warning"),
        row("RuntimeProfileLeakSuspect", "info", kind="objects"),
        False,
    ),
    "a disk that is full mutes the forecast of it": (
        row("RuntimeDiskFilling", "critical", path="/data"),
        row("RuntimeDiskFilling", "warning", path="/data"),
        True,
    ),
    "a disk that is full leaves its inodes alone": (
        row("RuntimeDiskFilling", "critical", path="/data"),
        row("RuntimeDiskFilling", "warning", path="/data", resource="inodes"),
        False,
    ),
    # The trap: labels that are missing on both sides count as equal.
    "a stranger's alerts are left alone": (
        row("DiskFull", "critical", device="sda"),
        row("DiskFull", "warning", device="sdb"),
        False,
    ),
    "what is down mutes no stranger": (row(DOWN, "warning"), row("DiskFull", "warning", device="sda"), False),
}


@pytest.mark.parametrize("case", CASES)
def test_an_alert_mutes_what_it_makes_superfluous_and_nothing_else(delivery: Delivery, case: str) -> None:
    source, target, muted = CASES[case]
    job = f"inhibition-{list(CASES).index(case)}"
    delivery.post(alert(job, **source), alert(job, **target))
    settle(delivery, job)
    assert {key(source): False, key(target): muted} == states_of(delivery, job)


def key(spec: dict[str, Any]) -> tuple[str, str]:
    return spec["name"], spec["severity"]


def settle(delivery: Delivery, job: str) -> None:
    """Wait until Alertmanager has weighed all that was posted before: it takes alerts one by one, and a known pair comes last."""
    canary = f"canary-{job}"
    delivery.post(alert(canary, name=NEAR_LIMIT), alert(canary, name=NEAR_LIMIT, severity="warning"))
    wait_for(lambda: states_of(delivery, canary).get((NEAR_LIMIT, "warning")), what="the known pair to be weighed")


def states_of(delivery: Delivery, job: str) -> dict[tuple[str, str], bool]:
    """Return whether each alert of `job` is inhibited."""
    return {
        (found["labels"]["alertname"], found["labels"]["severity"]): bool(found["status"]["inhibitedBy"])
        for found in delivery.alerts(f'job="{job}"')
    }


def test_alerts_without_a_job_do_not_mute_each_other(delivery: Delivery) -> None:
    nowhere = {"job": "", "instance": ""}
    delivery.post(
        alert("", name="RuntimeLost", labels={**nowhere, "device": "sda"}),
        alert("", name="RuntimeLost", severity="warning", labels={**nowhere, "device": "sdb"}),
    )
    settle(delivery, "lost")
    states = {
        found["labels"]["device"]: found["status"]["inhibitedBy"]
        for found in delivery.alerts('alertname="RuntimeLost"')
    }
    assert states == {"sda": [], "sdb": []}


def test_a_muted_alert_is_not_delivered(delivery: Delivery) -> None:
    job = "muted"
    delivery.post(alert(job, name=NEAR_LIMIT))
    delivery.attachment(job, "CRITICAL")
    settle(delivery, job)
    delivery.post(alert(job, name=NEAR_LIMIT, severity="warning"))
    # Two messages of another group, a group_interval apart: the muted one, which is older, has had its turn.
    delivery.post(alert("spoken", name="RuntimeCpuSpike", severity="warning"))
    delivery.attachment("spoken", "WARNING")
    delivery.post(alert("spoken", name="RuntimeCpuSpike", severity="warning", ends="2026-01-01T10:30:00Z"))
    delivery.attachment("spoken", "RESOLVED")
    titles = [post.json["attachments"][0]["title"] for post in delivery.slack.posts]
    assert [title for title in titles if title.endswith(f"· {job}")] == [f"🔴 CRITICAL · {NEAR_LIMIT} · {job}"]
