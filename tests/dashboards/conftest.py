"""What every test of the dashboards starts from: the default configuration, the rendered dashboards, the metric contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime_exporter.mixin import bundle, business, dashboards, jsonnet
from runtime_exporter.mixin import config as mixin_config

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def measured() -> list[dict[str, Any]]:
    """The shop's business metrics: without any, one dashboard less is generated."""
    given = mixin_config.load([bundle.root() / "examples" / "shop" / "business.yaml"]).values
    return business.complete(given["businessMetrics"], mixin_config.defaults())


@pytest.fixture(scope="session")
def config(measured: list[dict[str, Any]]) -> dict[str, Any]:
    return {**mixin_config.defaults(), "businessMetrics": measured}


@pytest.fixture(scope="session")
def texts(config: dict[str, Any]) -> dict[str, str]:
    return dashboards.render(config)


@pytest.fixture(scope="session")
def boards(texts: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {Path(path).stem: json.loads(text) for path, text in texts.items()}


@pytest.fixture(scope="session")
def contract() -> dict[str, dict[str, Any]]:
    """What dashboards may read: of the exporter, and of others beside it."""
    ours: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "contract.yaml").read_text())
    others: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "others.yaml").read_text())
    return {**ours, **others}


@pytest.fixture(scope="session")
def recorded(measured: list[dict[str, Any]]) -> set[str]:
    """The names that the mixin's rules record."""
    files = jsonnet.evaluate("rules/main.jsonnet", config={"businessMetrics": measured})["rules"]
    rules = [rule for file in files.values() for group in file["groups"] for rule in group["rules"]]
    return {rule["record"] for rule in rules if "record" in rule}
