"""Which labels the series of a PromQL expression may have, as far as the expression itself says: by its aggregations and matchings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import promql_parser as promql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Labels = frozenset[str] | None
"""The labels that there may be; None where anything may be."""

_SETS = ("and", "or", "unless")
_CHOOSES = ("topk", "bottomk")  # of series, and leaves them as they are
_OF_NO_SERIES = ("vector", "scalar", "time")


def labels(node: Any, known: Mapping[str, Labels]) -> Labels:
    """Return the labels of an expression; `known` are those of recorded series."""
    if isinstance(node, promql.AggregateExpr):
        return _aggregated(node, labels(node.expr, known))
    if isinstance(node, promql.Call):
        return _called(node, known)
    if isinstance(node, promql.BinaryExpr):
        return _joined(node, labels(node.lhs, known), labels(node.rhs, known))
    if isinstance(node, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
        return labels(node.expr, known)
    selector = node.vector_selector if isinstance(node, promql.MatrixSelector) else node
    return known.get(selector.name or "") if isinstance(selector, promql.VectorSelector) else frozenset()


def is_number(node: Any) -> bool:
    """Whether an expression is a number, which matches every series."""
    if isinstance(node, promql.BinaryExpr):
        return is_number(node.lhs) and is_number(node.rhs)
    if isinstance(node, (promql.ParenExpr, promql.UnaryExpr)):
        return is_number(node.expr)
    return isinstance(node, promql.NumberLiteral) or (
        isinstance(node, promql.Call) and node.func.name in ("time", "scalar")
    )


def nodes(node: Any) -> Iterator[Any]:
    """Yield an expression and all of its parts."""
    yield node
    if isinstance(node, promql.BinaryExpr):
        below = [node.lhs, node.rhs]
    elif isinstance(node, promql.AggregateExpr):
        below = [node.expr]
    elif isinstance(node, promql.Call):
        below = list(node.args)
    elif isinstance(node, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
        below = [node.expr]
    else:
        below = []
    for each in below:
        yield from nodes(each)


def never_match(node: Any, known: Mapping[str, Labels]) -> str:
    """Return why the two sides of an operator have no series in common, or an empty text."""
    if (
        not isinstance(node, promql.BinaryExpr)
        or is_number(node.lhs)
        or is_number(node.rhs)
        or str(node.op).strip() == "or"
    ):
        return ""
    left, right = labels(node.lhs, known), labels(node.rhs, known)
    on, chosen = _matching(node)
    if on:
        lacking = [name for name in sorted(chosen) if _only_one(name, left, right)]
        return f"only one side of {node.op} has {', '.join(lacking)}" if lacking else ""
    if left is None or right is None or left - chosen == right - chosen:
        return ""
    return f"the sides of {node.op} differ by {', '.join(sorted((left ^ right) - chosen))}"


def _only_one(name: str, left: Labels, right: Labels) -> bool:
    may = [side is None or name in side for side in (left, right)]
    return may[0] != may[1]


def _matching(node: Any) -> tuple[bool, frozenset[str]]:
    """Return whether labels are named by `on`, and those that are named by it or by `ignoring`."""
    matching = node.modifier.matching if node.modifier else None
    if matching is None:
        return False, frozenset()
    return matching.type == promql.LabelModifierType.Include, frozenset(matching.labels)


def _aggregated(node: Any, inner: Labels) -> Labels:
    if str(node.op).strip() in _CHOOSES:
        return inner
    if node.modifier is None:
        return frozenset()
    named = frozenset(node.modifier.labels)
    if node.modifier.type == promql.AggModifierType.By:
        return named if inner is None else named & inner
    return None if inner is None else inner - named


def _called(node: Any, known: Mapping[str, Labels]) -> Labels:
    name = node.func.name
    if name in _OF_NO_SERIES:
        return frozenset()
    if name in ("absent", "absent_over_time"):
        return None
    vector = next(
        (each for each in node.args if not isinstance(each, (promql.NumberLiteral, promql.StringLiteral))), None
    )
    inner = frozenset() if vector is None else labels(vector, known)
    if inner is None:
        return None
    if name == "histogram_quantile":
        return inner - {"le"}
    return inner | {node.args[1].val} if name in ("label_replace", "label_join") else inner


def _joined(node: Any, left: Labels, right: Labels) -> Labels:
    if is_number(node.lhs) or is_number(node.rhs):
        return right if is_number(node.lhs) else left
    operator = str(node.op).strip()
    if operator == "or":
        return None if left is None or right is None else left | right
    if operator in _SETS:
        return left
    card = node.modifier.card if node.modifier else promql.VectorMatchCardinality.OneToOne
    if card == promql.VectorMatchCardinality.OneToOne:
        return _one_to_one(node, left)
    many = left if card == promql.VectorMatchCardinality.ManyToOne else right
    return None if many is None else many | frozenset(node.modifier.group_labels or ())


def _one_to_one(node: Any, left: Labels) -> Labels:
    on, chosen = _matching(node)
    if on:
        return chosen if left is None else chosen & left
    return None if left is None else left - chosen
