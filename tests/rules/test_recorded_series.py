"""How many series the rules record for an instance, a route and a job: as docs/scale.md says, and as promtool evaluates them."""

from __future__ import annotations

import collections
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tools import require

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ROOT / "generated" / "rules" / "recording.yaml"
BOUNDS = ["0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10", "+Inf"]
OBJECTIVES = 2  # availability and latency, of every service
FLEET = {"one": (1, 1), "instances": (2, 1), "routes": (1, 2)}
"""Jobs with so many instances and routes."""


def recorded() -> dict[str, int]:
    """Return how many series are recorded at most, by level."""
    count: dict[str, int] = collections.Counter()
    for group in yaml.safe_load(RECORDING.read_text())["groups"]:
        for rule in group["rules"]:
            level = rule["record"].partition(":")[0]
            of_each_objective = level == "slo" and "slo" not in rule.get("labels", {})
            buckets = len(BOUNDS) if "_bucket:" in rule["record"] else 1
            count[level] += OBJECTIVES if of_each_objective else buckets
    return count


def test_the_page_says_how_many_series_are_recorded() -> None:
    page = (ROOT / "docs" / "scale.md").read_text()
    said = {
        level: int(number) for level, number in re.findall(r"^\| `(\w+):…` \| [^|]+ \| (\d+) \|", page, re.MULTILINE)
    }
    found = recorded()
    assert said == found
    of_service = found["job"] + found["slo"] + found["anomaly"] + 2 * found["instance"] + 20 * found["job_route"]
    assert f"makes {of_service} series" in page
    assert f"{round(500 * of_service, -4):,}".replace(",", " ") in page


def test_an_instance_more_and_a_route_more_cost_what_is_recorded_by_them_and_nothing_else(tmp_path: Path) -> None:
    def count(job: str, level: str) -> str:
        return f'count({{job="{job}",__name__=~"{level}:.+"}})'

    same = [(job, level) for job in FLEET for level in ("job", "slo", "anomaly")]
    same += [("routes", "instance"), ("instances", "job_route")]
    claims = [f"{count(job, level)} == bool {count('one', level)}" for job, level in same]
    claims += [
        f"{count('instances', 'instance')} == bool 2 * {count('one', 'instance')}",
        f"{count('routes', 'job_route')} == bool 2 * {count('one', 'job_route')}",
    ]
    (tmp_path / "recording.yaml").write_text(RECORDING.read_text())
    series = [each for job, size in FLEET.items() for each in job_of(job, *size)]
    asked = [{"expr": claim, "eval_time": "2h", "exp_samples": [{"labels": "{}", "value": 1}]} for claim in claims]
    document = {
        "rule_files": ["recording.yaml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    command = [require("promtool", package="prometheus"), "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def job_of(job: str, instances: int, routes: int) -> list[dict[str, Any]]:
    values = {
        "up": "1x120",
        "process_cpu_seconds_total": "0+6x120",
        "process_resident_memory_bytes": "100000000+1000x120",
        "process_memory_limit_bytes": "1000000000x120",
        "process_num_threads": "10x120",
        "process_open_fds": "10x120",
        "process_start_time_seconds": "-100000x120",
        "python_gc_duration_seconds_sum": "0+1x120",
    }
    made = []
    for instance in range(instances):
        place = f'job="{job}",instance="{instance}"'
        made += [{"series": f"{name}{{{place}}}", "values": value} for name, value in values.items()]
        for route in range(routes):
            of_route = f'{place},http_request_method="GET",http_route="/{route}",http_response_status_code="200"'
            name = "http_server_request_duration_seconds"
            made.append({"series": f"{name}_count{{{of_route}}}", "values": "0+600x120"})
            made += [{"series": f'{name}_bucket{{{of_route},le="{bound}"}}', "values": "0+600x120"} for bound in BOUNDS]
    return made
