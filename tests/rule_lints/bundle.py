"""The rules that linters look at, and what is known of their expressions."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import promql_parser
import yaml

import promql_labels
import promql_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    Check = Callable[["Bundle"], list[str]]


def name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


@dataclass(frozen=True, eq=False)
class Bundle:
    """The groups of rules to look at, in the order of their evaluation."""

    groups: list[dict[str, Any]]

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Bundle:
        """Return what stands in files."""
        return cls([group for path in paths for group in yaml.safe_load(path.read_text())["groups"]])

    @functools.cached_property
    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.groups for rule in group["rules"]]

    @functools.cached_property
    def alerts(self) -> list[dict[str, Any]]:
        return [rule for rule in self.rules if "alert" in rule]

    @functools.cached_property
    def trees(self) -> list[tuple[str, Any]]:
        """Every rule's name and expression, parsed; one that does not parse has none, which promql/syntax tells."""
        found = []
        for rule in self.rules:
            try:
                found.append((name(rule), promql_parser.parse(rule["expr"])))
            except ValueError:
                continue
        return found

    @functools.cached_property
    def nodes(self) -> list[tuple[str, Any]]:
        """Every part of every expression, with the rule's name."""
        return [(rule, node) for rule, tree in self.trees for node in promql_labels.nodes(tree)]

    @functools.cached_property
    def selectors(self) -> list[tuple[str, promql_tree.Selector]]:
        return [(rule, selector) for rule, tree in self.trees for selector in promql_tree.selectors(tree)]

    @functools.cached_property
    def known(self) -> dict[str, promql_labels.Labels]:
        """The labels that each recorded series may have."""
        found: dict[str, promql_labels.Labels] = {}
        for rule in self.rules:
            if "record" not in rule:
                continue
            labels = promql_labels.labels(promql_parser.parse(rule["expr"]), found)
            before = found.get(rule["record"], frozenset())
            found[rule["record"]] = (
                None if labels is None or before is None else before | labels | set(rule.get("labels", {}))
            )
        return found
