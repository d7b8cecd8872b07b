"""What pint asks of expressions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import promql_parser

import promql_labels
import promql_tree
import unsafe_promql
from rule_lints.bundle import name
from runtime_exporter.mixin import config, promql
from runtime_exporter.mixin.duration import seconds
from unsafe_promql import bare

if TYPE_CHECKING:
    from rule_lints.bundle import Bundle, Check

COUNTERS = {"rate", "irate", "increase", "resets"}
RATES = COUNTERS | {"changes"}


def promql_syntax(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.rules if promql.syntax_error(rule["expr"])]


def promql_features(bundle: Bundle) -> list[str]:
    """What only some versions read, or only behind a flag."""
    return [
        name(rule)
        for rule in bundle.rules
        if any(unsafe_promql.has(what, rule["expr"]) for what in unsafe_promql.CONSTRUCTS)
    ]


def promql_regexp(bundle: Bundle) -> list[str]:
    """A regular expression that is a plain text, has anchors, or matches everything."""
    return [
        rule
        for rule, selector in bundle.selectors
        for _, operator, value in selector.matchers
        if operator in ("=~", "!~") and (re.fullmatch(r"[\w:/ -]*|\.\*", value) or re.search(r"^\^|\$$", value))
    ]


def promql_fragile(bundle: Bundle) -> list[str]:
    """An alert that flaps by itself: on what is on top just now, or on a ratio of two sums that miss a target in turn, told at once."""
    chosen = [
        name(rule) for rule in bundle.alerts if re.search(r"\b(topk|bottomk|limitk|limit_ratio)\b", bare(rule["expr"]))
    ]
    at_once = {name(rule) for rule in bundle.alerts if "for" not in rule}
    return chosen + [rule for rule, node in bundle.nodes if rule in at_once and _is_ratio(node)]


def _is_ratio(node: Any) -> bool:
    return (
        isinstance(node, promql_parser.BinaryExpr)
        and str(node.op).strip() == "/"
        and all(_aggregates(side) for side in (node.lhs, node.rhs))
    )


def _aggregates(node: Any) -> bool:
    return any(isinstance(each, promql_parser.AggregateExpr) for each in promql_labels.nodes(node))


def promql_impossible(bundle: Bundle) -> list[str]:
    """What is never true: a comparison of numbers, one with a count of nothing, a label that the aggregation below has removed."""
    return [
        rule
        for rule, node in bundle.nodes
        if _compares_numbers(node) or _counts_nothing(node) or _by_what_is_gone(node, bundle)
    ]


def _compares_numbers(node: Any) -> bool:
    return (
        isinstance(node, promql_parser.BinaryExpr)
        and str(node.op).split()[0] in ("==", "!=", "<", ">", "<=", ">=")
        and promql_labels.is_number(node.lhs)
        and promql_labels.is_number(node.rhs)
    )


def _counts_nothing(node: Any) -> bool:
    """A count of no series is no series, and not 0."""
    counted = re.match(r"\(?(?:count|group|absent|count_over_time|present_over_time)\b", str(getattr(node, "lhs", "")))
    zero = isinstance(getattr(node, "rhs", None), promql_parser.NumberLiteral) and node.rhs.val == 0
    return bool(counted) and zero and str(node.op).strip() in ("==", "<=")


def _by_what_is_gone(node: Any, bundle: Bundle) -> bool:
    if not isinstance(node, promql_parser.AggregateExpr) or node.modifier is None:
        return False
    below = promql_labels.labels(node.expr, bundle.known)
    by = node.modifier.type == promql_parser.AggModifierType.By
    return by and below is not None and not set(node.modifier.labels) <= below


def promql_vector_matching(bundle: Bundle) -> list[str]:
    """Two sides that have no series in common, by the labels that the aggregations leave them."""
    return [rule for rule, node in bundle.nodes if promql_labels.never_match(node, bundle.known)]


def promql_aggregate(bundle: Bundle) -> list[str]:
    """Whose series are summed up over jobs, of which nobody can be told."""
    return [
        rule
        for rule, node in bundle.nodes
        if isinstance(node, promql_parser.AggregateExpr) and not _keeps_the_job(node.modifier)
    ]


def _keeps_the_job(modifier: Any) -> bool:
    if modifier is None:
        return False
    by = modifier.type == promql_parser.AggModifierType.By
    return ("job" in modifier.labels) == by


def promql_counter(bundle: Bundle) -> list[str]:
    """A counter says something only by its growth."""
    return [
        rule
        for rule, selector in bundle.selectors
        if selector.name.endswith(("_total", "_bucket", "_count"))
        and ":" not in selector.name
        and not RATES & set(selector.functions)
    ]


def promql_rate(bundle: Bundle) -> list[str]:
    """A rate of what is no counter, or of a window in which there are not two scrapes."""
    least = 2 * seconds(config.defaults()["scrapeInterval"])
    found = []
    for rule, node in bundle.nodes:
        if isinstance(node, promql_parser.Call) and node.func.name in COUNTERS:
            window = node.args[0]
            series = [each for each in promql_tree.selectors(window) if ":" not in each.name]
            gauges = [each for each in series if not each.name.endswith(("_total", "_bucket", "_count", "_sum"))]
            if gauges or window.range.total_seconds() < least:
                found.append(rule)
    return found


def promql_nan(bundle: Bundle) -> list[str]:
    """A division inside an aggregation: one 0 / 0 spoils the sum."""
    return [
        rule
        for rule, node in bundle.nodes
        if isinstance(node, promql_parser.AggregateExpr) and str(node.op).strip() in ("sum", "avg")
        for below in promql_labels.nodes(node.expr)
        if isinstance(below, promql_parser.BinaryExpr)
        and str(below.op).strip() == "/"
        and not promql_labels.is_number(below.rhs)
        and not str(below.rhs).endswith("> 0)")
    ]


def promql_selector(bundle: Bundle) -> list[str]:
    """A series without a name is a search through all of them."""
    return [rule for rule, selector in bundle.selectors if not selector.name]


CHECKS: dict[str, Check] = {
    "promql/syntax": promql_syntax,
    "promql/features": promql_features,
    "promql/regexp": promql_regexp,
    "promql/fragile": promql_fragile,
    "promql/impossible": promql_impossible,
    "promql/vector_matching": promql_vector_matching,
    "promql/aggregate": promql_aggregate,
    "promql/counter": promql_counter,
    "promql/rate": promql_rate,
    "promql/nan": promql_nan,
    "promql/selector": promql_selector,
}
