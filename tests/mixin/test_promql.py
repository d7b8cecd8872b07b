"""What is known about PromQL without a server, held against promtool and a real parser."""

from __future__ import annotations

import sys

import pytest

import tools
from runtime_exporter.mixin import promql

BROKEN = ["rate(up[5m]", "up > (", "up{a='b}", "sum(up))", 'up{a="b"', "up[5m"]
FINE = ["up > 0", 'up{a=")"} # (', 'sum by (a) (rate(b_total{c=~"d|e"}[5m])) > 1', "up{a='\\''}", 'up{a=`b"c`}']


@pytest.fixture
def without_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "promql_parser", None)


@pytest.fixture
def without_promtool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


@pytest.mark.parametrize("expression", BROKEN)
def test_the_parser_refuses_broken_syntax(expression: str) -> None:
    assert promql.syntax_error(expression)


@pytest.mark.parametrize("expression", BROKEN)
def test_promtool_is_asked_without_the_parser(expression: str, without_parser: None) -> None:
    tools.require("promtool", package="prometheus")
    problem = promql.syntax_error(expression)
    assert problem is not None
    assert "parse error: " in problem


@pytest.mark.parametrize("expression", BROKEN)
def test_brackets_and_quotes_are_looked_at_without_both(
    expression: str, without_parser: None, without_promtool: None
) -> None:
    assert promql.syntax_error(expression) in {
        "'(' is not closed", "a quote is not closed", "')' closes nothing", "'{' is not closed", "'[' is not closed",
    }  # fmt: skip


@pytest.mark.parametrize("expression", FINE)
def test_all_three_accept_what_is_right(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.require("promtool", package="prometheus")
    answers = [promql.syntax_error(expression)]
    monkeypatch.setitem(sys.modules, "promql_parser", None)
    answers.append(promql.syntax_error(expression))
    monkeypatch.setenv("PATH", "")
    answers.append(promql.syntax_error(expression))
    assert [None, None, None] == answers


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up", {"up"}),
        (
            'rate(a_total{le="b", c=~"d"}[5m]) / on (job, instance) group_left (version) e:f:rate5m > 1e3',
            {"a_total", "e:f:rate5m"},
        ),
        ("sum by (job) (a) / sum without (instance) (b) or vector(0)", {"a", "b"}),
        ("max_over_time((a - b)[1h:1m] offset 23h) > bool 0", {"a", "b"}),
        ('{__name__="a", job="x"} unless b @ end()', {"a", "b"}),
        ("count_values('version', build_info) # comment about c", {"build_info"}),
        ("topk(5, a) and NaN != Inf", {"a"}),
        ("sum(a) by (b)", {"a"}),
        ("time() - a > 1h30m", {"a"}),
    ],
)
def test_the_names_of_metrics_are_found(expression: str, expected: set[str]) -> None:
    assert expected == promql.metric_names(expression)


def test_the_names_found_are_those_of_a_real_parser(default_files: dict[str, str]) -> None:
    promql_parser = pytest.importorskip("promql_parser")
    from runtime_exporter.mixin import contract

    def selectors(node: object) -> set[str]:
        found = {node.name} if isinstance(node, promql_parser.VectorSelector) and node.name else set()
        children = (getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector", "param"))
        arguments = list(getattr(node, "args", None) or [])
        return found.union(*(selectors(child) for child in [*children, *arguments] if child is not None))

    expressions = [
        expression
        for path, text in default_files.items()
        if path.startswith("rules/")
        for expression in contract.expressions(text)
    ]
    assert len(expressions) > 40
    for expression in expressions:
        assert selectors(promql_parser.parse(expression)) == promql.metric_names(expression), expression
