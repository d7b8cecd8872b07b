"""The judgement of templates, compared with promtool's, which reads rules as Prometheus does."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

import tools
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin.generate import generate
from runtime_exporter.mixin.template import template_error

if TYPE_CHECKING:
    from pathlib import Path

GOOD = [
    "no template, {not one} either }}",
    "{{ $labels.job }} has {{ $value | humanize }}",
    '{{ $value | printf "%.2f }}" }} {{- /* nobody knows why */ -}} {{ `{{ raw }}` }}',
    "{{ range $name, $label := $labels }}{{ if ne $name `alertname` }}{{ $name }}={{ $label }}{{ end }}{{ end }}",
    '{{ with query "up" }}{{ . | first | value | humanizePercentage }}{{ else }}none{{ end }}',
    "{{ $rate := 1e3 }}{{ if gt $value $rate }}{{ len $labels.job }}{{ end }}",
    "{{ $externalLabels.cluster }} {{ .Labels.job }} {{ externalURL }}",
]
BAD = [
    "{{ $labels.job",
    "{{ $value | humanizze }}",
    "{{ nope }}",
    "{{ $label.job }}",
    "{{ if gt $value 1.0 }}more",
    "more{{ end }}",
]


def refused_by_promtool(text: str, directory: Path) -> bool:
    rule = {"alert": "Mine", "expr": "up == 0", "annotations": {"description": text}}
    path = directory / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "mine", "rules": [rule]}]}), encoding="utf-8")
    promtool = tools.require("promtool", package="prometheus")
    return subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("text", [*GOOD, *BAD])
def test_a_template_is_refused_exactly_where_prometheus_would_refuse_the_file(text: str, tmp_path: Path) -> None:
    assert refused_by_promtool(text, tmp_path) == (template_error(text) is not None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", "{{ $value | humanizze }}"),
        ("summary", "{{ humanizze }}"),
        ("labels", {"team": "{{ humanizze }}"}),
        ("suggested_actions", ["Look.", "{{ humanizze }}"]),
    ],
)
def test_a_text_of_an_alert_that_prometheus_cannot_read_is_refused_before_it_stops_all_rules(
    field: str, value: object
) -> None:
    with pytest.raises(ConfigError) as refused:
        generate({"customAlerts": {"Mine": {"expression": "up == 0", field: value}}})
    assert str(refused.value).startswith(f"customAlerts.Mine.{field}: ")
    assert str(refused.value).endswith("Prometheus knows no humanizze")
