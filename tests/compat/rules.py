"""Generated rules without what else is generated: dashboards take as long again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config, generate, jsonnet, outputs

if TYPE_CHECKING:
    from collections.abc import Mapping


def files(overrides: Mapping[str, Any], target: str = "prometheus") -> dict[str, str]:
    """Return the text of each file of rules by its path, as they come out of jsonnet for a target."""
    checked = config.check({**overrides, "target": outputs.evaluated_by(target)}, config.defaults())
    evaluated = jsonnet.evaluate("rules/main.jsonnet", config=checked)["rules"]
    return {f"rules/{name}": generate.yaml_text(document) for name, document in evaluated.items()}
