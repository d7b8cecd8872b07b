"""The rules under test: evaluated from their source, written to a temporary directory, one directory per configuration."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runtime_exporter.mixin import config, generate, jsonnet

HERE = Path(__file__).parent / "rules"
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


@functools.cache
def _evaluated(overrides: str) -> dict[str, Any]:
    patch = config.check(yaml.safe_load(overrides) or {}, config.defaults())
    result: dict[str, Any] = jsonnet.evaluate("rules/main.jsonnet", config=patch)
    return result


def groups(overrides: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the rule groups of a configuration, recording rules first."""
    files = _evaluated(yaml.safe_dump(overrides or {}))["rules"]
    return [group for name in sorted(files, reverse=True) for group in files[name]["groups"]]


def rules(kind: str, overrides: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the rules of a kind: "alert" or "record"."""
    return [rule for group in groups(overrides) for rule in group["rules"] if kind in rule]


@functools.cache
def _document(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = load(path)
    return document


@dataclass(frozen=True)
class UnitTests:
    """A file of promtool's unit tests, and the configuration (`<name>.config.yaml`) that its rules are generated with."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(".test.yaml")

    @property
    def overrides(self) -> dict[str, Any]:
        path = self.path.with_name(f"{self.name}.config.yaml")
        return load(path) if path.exists() else {}

    @property
    def document(self) -> dict[str, Any]:
        return _document(self.path)

    def write(self, directory: Path) -> Path:
        """Write the tests, and beside them only those groups of rules that they name: promtool evaluates all it is given."""
        wanted = self.document["group_eval_order"]
        found = [group for group in groups(self.overrides) if group["name"] in wanted]
        assert set(wanted) == {group["name"] for group in found}
        (directory / "rules.yaml").write_text(generate.yaml_text({"groups": found}), encoding="utf-8")
        target = directory / self.path.name
        target.write_text(
            yaml.safe_dump({**self.document, "rule_files": ["rules.yaml"]}, sort_keys=False), encoding="utf-8"
        )
        return target


UNIT_TESTS = [UnitTests(path) for path in sorted(HERE.glob("*.test.yaml"))]
