"""The pages about health: for a load balancer, for an orchestrator, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.web.page import Ask, Reply, json_reply, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.web.health import Health, Report

_UNAVAILABLE = 503


def healthy_page(_: Ask) -> Reply:
    """/-/healthy: the process answers. Runs no check: who restarts on this must not restart over a database."""
    return text("healthy\n")


def make_ready_page(health: Health) -> Callable[[Ask], Reply]:
    """Return /-/ready: 503 with the reason until the start is finished, and while a critical check is unhealthy."""

    def page(_: Ask) -> Reply:
        reason = health.why_not_ready()
        return text(f"not ready: {reason}\n", _UNAVAILABLE) if reason else text("ready\n")

    return page


def make_health_page(health: Health) -> Callable[[Ask], Reply]:
    """Return /health: the state of every check as JSON, with `?verbose` its reason, time and weight, too; 503 when unhealthy."""

    def page(ask: Ask) -> Reply:
        report = health.report()
        content = {"status": report.status, "checks": _checks(report, verbose="verbose" in ask.query)}
        return json_reply(content, _UNAVAILABLE if report.status == "unhealthy" else 200)

    return page


def _checks(report: Report, *, verbose: bool) -> dict[str, object]:
    if not verbose:
        return {result.name: result.status for result in report.results}
    return {
        result.name: {
            "status": result.status,
            "reason": result.reason,
            "critical": result.critical,
            "seconds": round(result.seconds, 6),
        }
        for result in report.results
    }
