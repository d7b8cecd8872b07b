"""The generated files in the form that what evaluates them takes: Prometheus, its operator, Mimir, Thanos, vmalert, Kubernetes."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import contract, kubernetes
from runtime_exporter.mixin.generate import HEADER, yaml_text
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TARGETS = ("prometheus", "operator", "mimir", "thanos", "vmalert", "kubernetes")
"""What `--target` may be."""

RULE_SETS = ("all", "leaf", "global")
"""What `--rule-set` may be: `leaf` reads what is scraped, and belongs beside it; `global` reads only what leaves have recorded by job."""

# A minute, in which the replicas of the ingesters have all samples.
_MIMIR_DELAY = "1m"

Groups = list[dict[str, Any]]


def evaluated_by(target: str) -> str:
    """Return the value of the mixin's `target` for one of TARGETS. Raises ConfigError for any other word."""
    if target not in TARGETS:
        hint = did_you_mean(target, TARGETS) or f": one of {', '.join(TARGETS)}"
        raise ConfigError(f"target: {target!r} is no target{hint}", setting="target", value=target)
    return "vmalert" if target == "vmalert" else "prometheus"


def shape(files: Mapping[str, str], target: str, rule_set: str = "all") -> dict[str, str]:
    """Return generated files as `target` takes them, with the rules of one set; what is no rule is kept, but as `kubernetes` has it."""
    evaluated_by(target)
    groups = {name: contract.document(text)["groups"] for name, text in files.items() if name.startswith("rules/")}
    groups = _of_set(groups, rule_set)
    others = {name: text for name, text in files.items() if not name.startswith("rules/")}
    if target in {"operator", "kubernetes"}:
        shaped = {
            f"manifests/{_stem(name)}.yaml": kubernetes.prometheus_rule(f"runtime-exporter-{_stem(name)}", each)
            for name, each in groups.items()
        }
        if target == "kubernetes":
            boards = {name: json.loads(text) for name, text in others.items() if name.startswith("dashboards/")}
            shaped |= kubernetes.monitors() | kubernetes.dashboards(
                {_stem(name): each for name, each in boards.items()}
            )
            others = {name: text for name, text in others.items() if name not in boards}
    else:
        shaped = {name: _FORMS[target](_stem(name), each) for name, each in groups.items()}
    header = f"{HEADER} for {target}. DO NOT EDIT: run `runtime-exporter generate` instead.\n"
    written = {name: header + yaml_text(document) for name, document in shaped.items()}
    same = {name: files[name] for name in written if target == "prometheus" and rule_set == "all"}
    return dict(sorted({**others, **written, **same}.items()))


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _of_set(files: Mapping[str, Groups], rule_set: str) -> dict[str, Groups]:
    """Keep the rules of a set, and no group or file that is then empty."""
    if rule_set == "all":
        return dict(files)
    leaf = _leaf_rules([rule for groups in files.values() for group in groups for rule in group["rules"]])

    def wanted(rule: Mapping[str, Any]) -> bool:
        # The Watchdog, which reads nothing, proves the way from either.
        return not contract.names_of(rule["expr"]) or (id(rule) in leaf) == (rule_set == "leaf")

    kept = {
        name: [{**group, "rules": [rule for rule in group["rules"] if wanted(rule)]} for group in groups]
        for name, groups in files.items()
    }
    kept = {name: [group for group in groups if group["rules"]] for name, groups in kept.items()}
    return {name: groups for name, groups in kept.items() if groups}


def _leaf_rules(rules: Iterable[Mapping[str, Any]]) -> set[int]:
    """Return (by identity) the rules that read what is scraped or is recorded by instance, and those that record for such rules."""
    rules = list(rules)
    reads = {id(rule): contract.names_of(rule["expr"]) for rule in rules}
    leaf = {
        id(rule) for rule in rules if any(":" not in name or name.startswith("instance:") for name in reads[id(rule)])
    }
    while True:
        needed = {name for each in leaf for name in reads[each]}
        more = {id(rule) for rule in rules if rule.get("record") in needed} - leaf
        if not more:
            return leaf
        leaf |= more


def _plain(_: str, groups: Groups) -> dict[str, Any]:
    return {"groups": groups}


def _mimir(stem: str, groups: Groups) -> dict[str, Any]:
    """Name a namespace that `mimirtool rules sync` owns: one a file, since it takes none twice, and no two groups of one name in any."""
    return {
        "namespace": f"runtime-exporter-{stem}",
        "groups": [{**group, "query_offset": _MIMIR_DELAY} for group in groups],
    }


def _thanos(_: str, groups: Groups) -> dict[str, Any]:
    """Go on with what answers, where one of several stores does not: an alert on some data beats none."""
    return {"groups": [{**group, "partial_response_strategy": "warn"} for group in groups]}


def _vmalert(_: str, groups: Groups) -> dict[str, Any]:
    """Split groups so that no rule reads what its own group records, which vmalert may not have stored yet."""
    return {"groups": [part for group in groups for part in _unchained(group)]}


def _unchained(group: dict[str, Any]) -> Groups:
    reads = [contract.names_of(rule["expr"]) - {rule.get("record")} for rule in group["rules"]]
    depth = {rule["record"]: 0 for rule in group["rules"] if "record" in rule}
    levels = [0] * len(reads)
    # A rule may stand before what it reads; no chain is longer than there are names.
    for _ in depth:
        levels = [max((depth[name] + 1 for name in names if name in depth), default=0) for names in reads]
        for rule, level in zip(group["rules"], levels, strict=True):
            if "record" in rule:
                depth[rule["record"]] = max(level, depth[rule["record"]])
    parts: dict[int, list[dict[str, Any]]] = {}
    for rule, level in zip(group["rules"], levels, strict=True):
        parts.setdefault(level, []).append(rule)
    return [
        {**group, "name": group["name"] if level == 0 else f"{group['name']}-{level + 1}", "rules": rules}
        for level, rules in sorted(parts.items())
    ]


_FORMS: dict[str, Callable[[str, Groups], dict[str, Any]]] = {
    "prometheus": _plain,
    "mimir": _mimir,
    "thanos": _thanos,
    "vmalert": _vmalert,
}
