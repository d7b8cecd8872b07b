"""Alerts: what fires, what is about to, what fired most, and what came first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Column, Query, Scope, Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

CHOSEN = ('severity=~"$severity"', 'alertname=~"$alertname"')
FIRING = ('alertstate="firing"', *CHOSEN)
PENDING = ('alertstate="pending"', *CHOSEN)
SEVERITIES = {"critical": ("critical", "red"), "warning": ("warning", "orange"), "info": ("info", "blue")}
COLORS = {"critical": "red", "warning": "orange", "info": "blue"}
QUIET = "none"
EACH = "alertname, severity, job, instance"


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the dashboard about alerts."""
    scope = Scope.of(config)
    return panels.dashboard(
        config,
        "alerts",
        title="Alerts",
        description="What fires, what is about to, what came first, and which alerts speak most.",
        subject="up",
        variables=[
            Variable("severity", "ALERTS", "severity", of_instance=False),
            Variable("alertname", "ALERTS", "alertname", of_instance=False),
            Variable("anomaly", "anomaly:signal:value", "anomaly", of_instance=False),
        ],
        rows=[
            panels.row("", *_now(scope)),
            panels.row("Now", *_tables(scope)),
            panels.row("Over time", *_history(scope)),
            panels.row("Bands", *_bands(scope)),
            panels.row("Noise", *_noise(scope)),
        ],
    )


def _now(scope: Scope) -> list[panels.Panel]:
    def firing(severity: str, description: str, color: str) -> panels.Panel:
        of_severity = f'severity="{severity}"'
        return panels.stat(
            f"Firing: {severity}",
            description,
            Query(f"count({scope.alerts(*FIRING, of_severity)}) or vector(0)"),
            unit="none",
            thresholds=panels.steps("green", (1, color)),
        )

    return [
        firing("critical", "Critical alerts that fire now: somebody is paged. 0 is the normal state.", "red"),
        firing("warning", "Warnings that fire now: worth a look within the day.", "orange"),
        firing("info", "Informational alerts that fire now: nobody is told by default.", "blue"),
        panels.stat(
            "Pending",
            "Alerts whose condition holds, but not yet for as long as they wait.",
            Query(f"count({scope.alerts(*PENDING)}) or vector(0)"),
            unit="none",
            thresholds=panels.steps("green", (1, "yellow")),
        ),
        panels.stat(
            "Services with alerts",
            "Services of which something fires.",
            Query(f"count({scope.sum_by('job', scope.alerts(*FIRING))}) or vector(0)"),
            unit="none",
            thresholds=panels.steps("green", (1, "yellow")),
        ),
        panels.stat(
            "Kinds of alerts",
            "Different alerts that fire now. Many kinds of one service have one cause: see below which came first.",
            Query(f"count(sum by (alertname) ({scope.alerts(*FIRING)})) or vector(0)"),
            unit="none",
            thresholds=panels.steps("green", (1, "yellow")),
        ),
    ]


def _since(scope: Scope, state: tuple[str, ...]) -> str:
    """Return how many seconds ago the condition of each alert in a state came true."""
    since = scope.alerts(*CHOSEN, metric="ALERTS_FOR_STATE")
    return f"{scope.max_by(EACH, f'time() - {since}')} and {scope.max_by(EACH, scope.alerts(*state))}"


def _tables(scope: Scope) -> list[panels.Panel]:
    def table(title: str, description: str, state: tuple[str, ...]) -> panels.Panel:
        return panels.table(
            title,
            description,
            Column("Alert", label="alertname"),
            Column("Severity", label="severity", states=SEVERITIES, width=100),
            Column("Service", label="job"),
            Column("Instance", label="instance"),
            Column("Since", _since(scope, state), unit="s", width=120),
            sort="Since",
            width=12,
            nothing=QUIET,
        )

    return [
        table("Firing now", "Every alert that fires, the oldest first: it is nearest to the cause.", FIRING),
        table("About to fire", "Conditions that hold, but not yet long enough.", PENDING),
    ]


def _history(scope: Scope) -> list[panels.Panel]:
    return [
        panels.state_timeline(
            "When each alert fired",
            "One band an alert of a service: what came first is nearer to the cause.",
            Query(scope.max_by("alertname, job", scope.alerts(*FIRING)), f"{{{{alertname}}}} {scope.per_job}"),
            states={"1": ("firing", "red")},
            width=24,
            height=10,
            nothing=QUIET,
        ),
        panels.timeseries(
            "Alerts by severity",
            "How many alerts fire, by severity. A plateau is something that nobody repairs.",
            Query(f"sum by (severity) ({scope.alerts(*FIRING)})", "{{severity}}"),
            unit="short",
            axis="alerts",
            stacked=True,
            width=12,
            overrides=[panels.colored(f"^{name}$", color) for name, color in COLORS.items()],
        ),
        panels.timeseries(
            "Alerts by service",
            "How many alerts of each service fire.",
            Query(scope.sum_by("job", scope.alerts(*FIRING)), scope.per_job),
            unit="short",
            axis="alerts",
            stacked=True,
            width=12,
        ),
    ]


def _bands(scope: Scope) -> list[panels.Panel]:
    value, upper, lower = (
        scope.of_job(f"anomaly:signal:{each}", 'anomaly=~"$anomaly"')
        for each in ("value", "upper_bound", "lower_bound")
    )
    return [
        panels.timeseries(
            "Where in its band",
            "Each watched signal between the lower edge of its band, 0 %, and the upper one, 100 %. What is outside is unusual at this time of the day and of the week. A band speaks once it knows a week.",
            Query(f"({value} - {lower}) / ({upper} - {lower} > 0)", f"{{{{anomaly}}}} of {scope.per_job}"),
            unit="percentunit",
            width=12,
            minimum=None,
            thresholds=panels.steps("red", (0, "green"), (1, "red")),
        ),
        panels.timeseries(
            "Signal and band",
            "The signal itself, and between the dashed lines what is expected of it. Choose one service and one signal, for the lines of several look alike.",
            Query(value, f"{{{{anomaly}}}} of {scope.per_job}"),
            Query(upper, "upper"),
            Query(lower, "lower"),
            unit="short",
            width=12,
            minimum=None,
            overrides=[panels.line("^(upper|lower)", "blue"), panels.filled_to("^upper", "lower")],
        ),
    ]


def _noise(scope: Scope) -> list[panels.Panel]:
    def over_range(labels: str) -> str:
        return f"sum by ({labels}) (count_over_time({scope.alerts(*FIRING)}[$__range]))"

    share = f"{over_range('alertname')} / on () group_left () (sum({over_range('alertname')}) > 0)"
    return [
        panels.table(
            "Noisiest alerts",
            "Which alerts fired most in the time range of the dashboard. What fires much and is never acted on wants another threshold, or to be switched off.",
            Column("Alert", label="alertname"),
            Column("Share of all firing", share, unit="percentunit", decimals=1),
            Column("Services", f"count by (alertname) ({over_range('alertname, job')})"),
            sort="Share of all firing",
            width=24,
            nothing=QUIET,
        ),
    ]
