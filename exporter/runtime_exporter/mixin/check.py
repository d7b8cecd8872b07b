"""Whether a generated directory is right: the tools of Prometheus and Alertmanager, and the names of metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from runtime_exporter.errors import ConfigError, MissingToolError
from runtime_exporter.mixin import contract

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

_TIMEOUT_SECONDS = 60
# What the tools say besides findings: of their progress, in front of a finding or on a line of its own, and of their number.
_PROGRESS = re.compile(
    r"""^ (?: Checking\ .*? (?= $ | \s+FAILED | \s+SUCCESS ) | Found: | -\ .* | amtool:\ error:\ failed\ to\ validate.* )?
    \s* (?: FAILED:? | SUCCESS.* )? \s*""",
    re.VERBOSE,
)


def check(directory: Path, *, known: Collection[str] | None = None) -> list[str]:
    """Return every finding about a generated directory; an empty list is a clean one.

    `known`: the names of the metrics that targets expose; None leaves the names unchecked. A missing tool is a finding too.
    Raises ConfigError where there is nothing to check.
    """
    rules = sorted((directory / "rules").glob("*.yaml"))
    dashboards = sorted((directory / "dashboards").glob("*.json"))
    alertmanager = directory / "alertmanager" / "alertmanager.yml"
    if not rules and not dashboards and not alertmanager.is_file():
        raise ConfigError(
            f"{directory} holds no rules, dashboards or alertmanager.yml", setting="DIR", value=str(directory)
        )
    findings = []
    if rules:
        findings += _run(
            "promtool", ["check", "rules", "--lint=all", "--lint-fatal", *map(str, rules)], package="prometheus"
        )
    if alertmanager.is_file():
        findings += _run("amtool", ["check-config", str(alertmanager)], package="prometheus-alertmanager")
    findings += _dashboard_findings(dashboards)
    if known is not None:
        findings += contract.unknown_names([*rules, *dashboards], known)
    return findings


def _run(tool: str, arguments: list[str], *, package: str) -> list[str]:
    path = shutil.which(tool)
    if path is None:
        return [str(MissingToolError(tool, package=package))]
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)  # noqa: S603 - a fixed program
    except subprocess.TimeoutExpired:
        return [f"{tool} did not answer within {_TIMEOUT_SECONDS} s"]
    if done.returncode == 0:
        return []
    said = [_PROGRESS.sub("", line.strip()) for line in (done.stdout + done.stderr).splitlines()]
    return [f"{tool}: {line}" for line in said if line] or [f"{tool} exited with {done.returncode} and said nothing"]


def _dashboard_findings(paths: Iterable[Path]) -> list[str]:
    findings = []
    uids: dict[str, Path] = {}
    for path in paths:
        try:
            dashboard = json.loads(path.read_bytes())
        except ValueError as error:
            findings.append(f"{path}: not JSON: {error}")
            continue
        uid = dashboard.get("uid") if isinstance(dashboard, dict) else None
        if not isinstance(dashboard, dict) or not uid or not dashboard.get("title"):
            findings.append(f"{path}: not a dashboard with a uid and a title")
        elif uid in uids:
            findings.append(f"{path}: has the uid of {uids[uid]}: {uid}")
        else:
            uids[uid] = path
    return findings
