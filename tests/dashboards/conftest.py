"""What every test of the dashboards starts from: the default configuration, the rendered dashboards, the metric contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime_exporter.mixin import config as mixin_config
from runtime_exporter.mixin import dashboards, jsonnet

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def config() -> dict[str, Any]:
    return mixin_config.defaults()


@pytest.fixture(scope="session")
def texts(config: dict[str, Any]) -> dict[str, str]:
    return dashboards.render(config)


@pytest.fixture(scope="session")
def boards(texts: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {Path(path).stem: json.loads(text) for path, text in texts.items()}


@pytest.fixture(scope="session")
def contract() -> dict[str, dict[str, Any]]:
    families: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "contract.yaml").read_text())
    return families


@pytest.fixture(scope="session")
def recorded() -> set[str]:
    """The names that the mixin's rules record."""
    files = jsonnet.evaluate("rules/main.jsonnet", config={})["rules"]
    rules = [rule for file in files.values() for group in file["groups"] for rule in group["rules"]]
    return {rule["record"] for rule in rules if "record" in rule}
