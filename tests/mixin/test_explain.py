"""`generate --explain`: every value, and where it was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config, explain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


def places(lines: list[str]) -> dict[str, tuple[str, str]]:
    """Return {key: (value, place)}."""
    found = {}
    for line in lines:
        key, _, rest = line.partition(" = ")
        value, _, place = rest.rpartition("  (")
        found[key] = (value, place.removesuffix(")"))
    return found


def test_each_value_says_its_file_and_line_or_that_it_is_the_default(
    tmp_path: Path, runtime_exporter: Callable[..., Result]
) -> None:
    base, mine = tmp_path / "base.yaml", tmp_path / "mine.yaml"
    base.write_text("alerts:\n  gcPressure:\n    ratio: 0.3\n    for: 1m\n  labelsFolded: null\n", encoding="utf-8")
    mine.write_text(
        "services:\n  shop.eu:\n    alerts: {gcPressure: {ratio: 0.4}}\nalerts:\n  gcPressure: {for: 2m}\n",
        encoding="utf-8",
    )
    said = runtime_exporter("generate", "--explain", "--config", base, "--config", mine, "--set", "scrapeInterval=30s")
    assert said.exit_code == 0, said.stderr
    found = places(said.stdout.splitlines())
    expected = {
        "alerts.gcPressure.ratio": ("0.3", f"{base}:3"),
        "alerts.gcPressure.for": ('"2m"', f"{mine}:5"),
        "alerts.gcPressure.severity": ('"warning"', "default"),
        "alerts.labelsFolded": ("null, deleted", f"{base}:5"),
        "scrapeInterval": ('"30s"', "--set"),
        "services.shop.eu.alerts.gcPressure.ratio": ("0.4", f"{mine}:3"),
        "alertmanager.groupBy": ('["alertname", "job"]', "default"),
    }
    assert {key: found[key] for key in expected} == expected
    assert f"services.shop.eu: the job shop.eu  ({mine}:2)" in said.stdout.splitlines()
    # Nothing that is by default is missing, and nothing of what was deleted is left.
    assert {"selector", "alerts.memoryLeak.window"} <= set(found)
    assert not [key for key in found if key.startswith("alerts.labelsFolded.")]


def test_what_is_wrong_is_said_instead(runtime_exporter: Callable[..., Result]) -> None:
    said = runtime_exporter("generate", "--explain", "--set", "alerts.gcPressure.ratio=1.5")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "--set: alerts.gcPressure.ratio: 1.5 makes an alert that can never fire" in said.stderr


def test_without_explain_the_directory_is_needed(runtime_exporter: Callable[..., Result]) -> None:
    said = runtime_exporter("generate")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "Missing argument 'DIR'" in said.stderr


def test_a_long_value_is_cut_and_a_file_without_anything_changes_nothing() -> None:
    known: dict[str, Any] = {"selector": "x" * 200, "services": {}}
    [line] = explain.explain(config.Overrides({}), known)
    assert line == f'selector = "{"x" * 99}…  (default)'
