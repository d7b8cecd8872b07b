"""`runtime-exporter list` prints what this installation has: settings, collectors, metrics."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from runtime_exporter.cli.list import aligned, command
from runtime_exporter.collectors import ALL
from runtime_exporter.exporter import Exporter
from runtime_exporter.settings import SETTINGS, Settings
from runtime_exporter.settings.page import page, written


@pytest.fixture(autouse=True)
def no_settings_from_elsewhere(monkeypatch):
    """No configuration file of the user's, and none of the machine's."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.setenv(name, "/nonexistent")


def output(*arguments):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert (0, "") == (result.exit_code, result.stderr)
    return result.stdout


def test_settings_are_a_table_with_value_source_and_default(monkeypatch):
    monkeypatch.setenv("RUNTIME_EXPORTER_PORT", "1234")

    header, *lines = output("settings").splitlines()

    assert ["NAME", "VALUE", "SOURCE", "DEFAULT", "HELP"] == header.split()
    assert [row.name for row in SETTINGS] == [line.split()[0] for line in lines]
    (port,) = (line for line in lines if line.startswith("port "))
    assert ["port", "1234", "environment", "RUNTIME_EXPORTER_PORT", "9464"] == port.split()[:5]


def test_a_default_that_is_in_effect_is_said_once():
    (health,) = (line for line in output("settings").splitlines() if line.startswith("health_timeout "))

    assert ["health_timeout", "2", "default", "Seconds"] == health.split()[:4]


def test_in_a_terminal_long_cells_go_on_below_themselves():
    rows = [
        ("port", "9464", "TCP port to listen on; 0 lets the operating system choose one"),
        ("x", "0.25,0.5," * 4, ""),
    ]

    assert [
        "NAME  VALUE                        HELP",
        "port  9464                         TCP port to listen on; 0 lets",
        "                                   the operating system choose",
        "                                   one",
        "x     0.25, 0.5, 0.25, 0.5, 0.25,",
        "      0.5, 0.25, 0.5,",
    ] == [*aligned(("NAME", "VALUE", "HELP"), rows, 64)]


def test_settings_are_json_for_programs():
    rows = json.loads(output("settings", "--json"))

    assert {row.name: written(row.default) for row in SETTINGS} == {
        row["name"]: written(tuple(row["default"]) if isinstance(row["default"], list) else row["default"])
        for row in rows
    }


def test_settings_of_a_file_are_shown_with_their_lines(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("\nlog_format: json\n")

    rows = {row["name"]: row for row in json.loads(output("settings", "--json", "--config-file", str(file)))}

    assert ("json", f"{file}:2") == (rows["log_format"]["value"], rows["log_format"]["source"])


def test_the_markdown_of_the_settings_is_the_page_of_the_documentation():
    assert page(SETTINGS) == output("settings", "--markdown")


def test_a_secret_is_in_no_output(monkeypatch):
    monkeypatch.setenv("RUNTIME_EXPORTER_ADDRESS", "http://bob:hunter2@host")

    assert "hunter2" not in output("settings") + output("settings", "--json")
    assert "********" in output("settings")


def test_every_collector_is_listed_with_its_metrics_and_whether_it_runs(monkeypatch):
    monkeypatch.setenv("RUNTIME_EXPORTER_COLLECTORS", "-gc")

    rows = {row["name"]: row for row in json.loads(output("collectors", "--json"))}

    assert list(ALL) == list(rows)
    assert {"gc"} == {name for name, row in rows.items() if not row["runs"]}
    assert "process_cpu_seconds_total" in rows["process"]["metrics"]
    assert len(ALL) + 1 == len(output("collectors").splitlines())


def test_every_metric_is_listed_as_prometheus_will_name_it():
    rows = {row["name"]: row for row in json.loads(output("metrics", "--json"))}

    assert len(Exporter(Settings()).families()) == len(rows)
    duration = rows["http_server_request_duration_seconds"]
    assert ("histogram", ["http_request_method", "http_route", "http_response_status_code"]) == (
        duration["type"],
        duration["labels"],
    )
    assert {"counter"} == {row["type"] for name, row in rows.items() if name.endswith("_total")}
    assert len(rows) + 1 == len(output("metrics").splitlines())
