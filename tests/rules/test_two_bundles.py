"""Two bundles in one Prometheus, each generated for jobs of its own: neither may write zeros over the other's errors."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

import tools
from rule_files import groups

if TYPE_CHECKING:
    from pathlib import Path

JOBS = ("shop", "search")
MINUTES = 20
FAILED = "http_server_request_duration_seconds_count"


def bundle(job: str) -> list[dict]:
    """Return the groups that record errors and the requests by route for one job, by names of their own."""
    recorded = {
        "job_route:http_server_requests:rate5m",
        "job:http_server_errors:rate5m",
        "job_route:http_server_errors:rate5m",
    }
    found = []
    for group in groups({"selector": f'job="{job}"'}):
        rules = [rule for rule in group["rules"] if rule.get("record") in recorded]
        if rules:
            found.append({**group, "name": f"{job}-{group['name']}", "rules": rules})
    assert {rule["record"] for group in found for rule in group["rules"]} == recorded
    return found


def counter(job: str, code: str, a_minute: int) -> dict:
    labels = f'job="{job}", instance="web-1:9464", http_request_method="GET", http_route="/", http_response_status_code="{code}"'
    return {"series": f"{FAILED}{{{labels}}}", "values": f"0+{a_minute}x{MINUTES}"}


@pytest.mark.parametrize("order", [JOBS, JOBS[::-1]], ids=", ".join)
def test_two_bundles_for_different_jobs_do_not_disturb_each_other(order: tuple[str, str], tmp_path: Path) -> None:
    rules = [group for job in order for group in bundle(job)]
    names = [group["name"] for group in rules]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rules}), encoding="utf-8")
    # Six failed requests a minute are 0.1 a second, in each of the jobs.
    errors = [{"labels": f'job:http_server_errors:rate5m{{job="{job}"}}', "value": 0.1} for job in JOBS]
    routes = [
        {"labels": f'job_route:http_server_errors:rate5m{{http_route="/", job="{job}"}}', "value": 0.1} for job in JOBS
    ]
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "group_eval_order": names,
        "tests": [
            {
                "interval": "1m",
                "input_series": [counter(job, *row) for job in JOBS for row in (("200", 594), ("500", 6))],
                "promql_expr_test": [
                    {"expr": "job:http_server_errors:rate5m", "eval_time": "15m", "exp_samples": errors},
                    {"expr": "job_route:http_server_errors:rate5m", "eval_time": "15m", "exp_samples": routes},
                ],
            }
        ],
    }
    path = tmp_path / "two.test.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run(
        [tools.require("promtool", package="prometheus"), "test", "rules", str(path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
