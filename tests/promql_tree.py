"""What a test asks of a PromQL expression: which series it selects, under which functions, by which labels it aggregates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import promql_parser as promql

if TYPE_CHECKING:
    from collections.abc import Iterator

HISTOGRAM_SUFFIXES = ("_bucket", "_count", "_sum")


@dataclass(frozen=True)
class Selector:
    """One selector in an expression: name, matchers as (label, operator, value), and the functions around it, outermost first."""

    name: str
    matchers: frozenset[tuple[str, str, str]]
    functions: tuple[str, ...] = field(default=())


def parse(expression: str) -> Any:
    """Parse with the grammar of Prometheus 3; raise ValueError where it is none."""
    return promql.parse(expression)


def selectors(node: Any, functions: tuple[str, ...] = ()) -> Iterator[Selector]:
    """Yield every selector under `node`."""
    if isinstance(node, promql.VectorSelector):
        matchers = frozenset((each.name, _operator(each.op), each.value) for each in node.matchers.matchers)
        yield Selector(node.name, matchers, functions)
    elif isinstance(node, promql.MatrixSelector):
        yield from selectors(node.vector_selector, functions)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from selectors(argument, (*functions, node.func.name))
    else:
        for child in _children(node):
            yield from selectors(child, functions)


def metrics(expression: str) -> set[str]:
    """Return the names of the metrics that an expression reads."""
    return {each.name for each in selectors(parse(expression))}


def _operator(operator: Any) -> str:
    known = [
        (promql.MatchOp.Equal, "="),
        (promql.MatchOp.NotEqual, "!="),
        (promql.MatchOp.Re, "=~"),
        (promql.MatchOp.NotRe, "!~"),
    ]
    return next(text for each, text in known if operator == each)


def _children(node: Any) -> list[Any]:
    if isinstance(node, promql.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql.AggregateExpr):
        return [child for child in (node.param, node.expr) if child is not None]
    if isinstance(node, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
        return [node.expr]
    if isinstance(node, (promql.NumberLiteral, promql.StringLiteral)):
        return []
    raise TypeError(f"a kind of expression that this walk does not know: {type(node).__name__}")
