"""What not every Prometheus from 2.42 on, and not every other engine, can read: found in the text, since old and new grammars differ."""

from __future__ import annotations

import re

import promql_parser

FUNCTIONS = {
    "holt_winters", "double_exponential_smoothing", "mad_over_time", "info", "sort_by_label", "sort_by_label_desc", "first_over_time",
    "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "histogram_avg", "histogram_stddev",
    "histogram_stdvar", "histogram_count", "histogram_sum", "limitk", "limit_ratio", "fill", "step", "range", "start", "end",
}  # fmt: skip
CONSTRUCTS = {
    "a function that is gone, experimental or newer": rf"(?<!@ )\b(?:{'|'.join(sorted(FUNCTIONS))})\s*\(",
    "a duration where a number stands": r"(?<![\w.:\[])(?<!offset )(?<!offset -)\d+(?:ms|[smhdwy])\b(?![^\[]*\])",
    "an underscore in a number": r"\b\d+_\d",
    "a sum of durations": r"\[[^\]:]*[+*/][^\]]*\]",
    "anchored or smoothed": r"\b(?:anchored|smoothed)\b",
    "a function of a number alone": r"\b(?:sqrt|exp|ln|abs|ceil|floor)\s*\(\s*[\d.]+\s*\)",
    "a name in quotes, or or between matchers": r"\{[^}]*(?:\bor\b|^\s*\")[^}]*\}",
    "a subquery of one step": r"\[(\w+):\1\]",
}


def bare(expression: str) -> str:
    """Return an expression without its comments and texts."""
    return re.sub(r'"(?:\\.|[^"\\])*"|#[^\n]*', "", expression)


def has(what: str, expression: str) -> bool:
    """Whether one of CONSTRUCTS stands in an expression."""
    return bool(re.search(CONSTRUCTS[what], bare(expression)))


def problems(expression: str) -> list[str]:
    """Return what some engine does not read in an expression, the grammar of Prometheus 3 among them."""
    found = [what for what in CONSTRUCTS if has(what, expression)]
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        found.append(str(error))
    return found
