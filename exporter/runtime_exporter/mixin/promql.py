"""What can be known about a PromQL expression without a server: is it well-formed, does it compare, which metrics does it name."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

# Strings first: a comment sign or a bracket in a string is text.
_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|#[^\n]*')
_SELECTOR = re.compile(r"\{[^{}]*\}")
_RANGE = re.compile(r"\[[^\[\]]*\]")
_COMPARISON = re.compile(r"(?:==|!=|<=|>=|<|>)(?!\s*bool\b)")
# Operators and functions whose answer is empty most of the time, as that of a comparison is.
_CONDITION = re.compile(r"\b(?:absent|absent_over_time)\s*\(|\bunless\b", re.IGNORECASE)
_LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w.:$])([a-zA-Z_:][a-zA-Z0-9_:]*)(?![\w:])(?!\s*\()")
_KEYWORDS = frozenset({
    "and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "inf", "nan", "atan2",
    "start", "end",
})  # fmt: skip
_AGGREGATIONS = frozenset({
    "sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile",
})  # fmt: skip
_KEEPING = frozenset({"topk", "bottomk", "count_values", "limitk", "limit_ratio"})
_CALL = re.compile(r"([a-zA-Z_]\w*)\s*(?:(?:by|without)\s*\([^()]*\)\s*)?\(", re.IGNORECASE)
_NAME_MATCHER = re.compile(r"__name__\s*=\s*\"([a-zA-Z_:][a-zA-Z0-9_:]*)\"")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER = rf"\s*{_LABEL.pattern}\s*(?:=~|!~|!=|=)\s*(?:\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`]*`)\s*"
_MATCHERS = re.compile(rf"\s*|{_MATCHER}(?:,{_MATCHER})*,?\s*")
_PARTS_OF_MATCHER = re.compile(
    rf"(?P<label>{_LABEL.pattern})\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`]*`)"
)
# The parts of an expression that a selector is not, or not all of: what is taken verbatim, and then a name and its matchers.
_TEXT = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`"
_BRACES = rf"\{{(?:{_TEXT}|[^{{}}\"'`])*\}}"
_PART = re.compile(
    rf"""(?P<verbatim> {_TEXT} | [#][^\n]* | \b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\) | \[[^\[\]]*\] | \b\d[\w.]* )
    | (?P<name> [a-zA-Z_:][\w:]* ) (?: (?P<call> \s*\( ) | \s*(?P<matchers> {_BRACES} ) )?
    | (?P<nameless> {_BRACES} )""",
    re.VERBOSE | re.IGNORECASE,
)
_CLOSES = {")": "(", "]": "[", "}": "{"}
_PROMTOOL_PLACE = re.compile(r"could not parse expression: (.*)")


def syntax_error(expression: str) -> str | None:
    """Return what is wrong with the syntax of `expression`, or None.

    Asks promql-parser where it is installed, else promtool where it is on PATH; without either only strings and brackets are checked.
    """
    if not expression.strip():
        return "the expression is empty"
    try:
        import promql_parser
    except ImportError:
        promtool = shutil.which("promtool")
        return _ask_promtool(promtool, expression) if promtool else unbalanced(expression)
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        return " ".join(str(error).split())
    return None


def unbalanced(expression: str) -> str | None:
    """Return which bracket or quote of `expression` has no partner, or None."""
    bare = _STRING_OR_COMMENT.sub("", expression)
    if any(quote in bare for quote in "\"'`"):
        return "a quote is not closed"
    opened: list[str] = []
    for character in bare:
        if character in "([{":
            opened.append(character)
        elif character in _CLOSES and (not opened or opened.pop() != _CLOSES[character]):
            return f"{character!r} closes nothing"
    return f"{opened[-1]!r} is not closed" if opened else None


def is_matchers(text: str) -> bool:
    """Return whether `text` is what may stand between the braces of a selector: none, or matchers with commas between."""
    return _MATCHERS.fullmatch(text) is not None


def matchers(text: str) -> list[tuple[str, str, str]]:
    """Return label, operator and quoted value of each of the matchers that `text` holds, as between the braces of a selector."""
    return [(part["label"], part["operator"], part["value"]) for part in _PARTS_OF_MATCHER.finditer(text)]


def is_label(text: object) -> bool:
    """Return whether `text` is the name of a label."""
    return isinstance(text, str) and _LABEL.fullmatch(text) is not None


def compares(expression: str) -> bool:
    """Return whether the answer of `expression` depends on a value: a comparison without `bool`, `absent` or `unless`.

    What has none of them is true wherever its metric exists, and an alert on it never stops.
    """
    bare = _without_selectors(expression)
    return bool(_COMPARISON.search(bare) or _CONDITION.search(bare))


def metric_names(expression: str) -> frozenset[str]:
    """Return the names of the metrics that `expression` reads."""
    named = frozenset(_NAME_MATCHER.findall(expression))
    bare = _LABEL_LIST.sub(" ", _without_selectors(expression))
    words = (word for word in _NAME.findall(bare) if word.lower() not in _KEYWORDS | _AGGREGATIONS)
    return named | frozenset(words)


def labels_left(expression: str) -> frozenset[str] | None:
    """Return the labels that the outermost aggregation of `expression` leaves, None where there is none or nobody can tell.

    Told where promql-parser is installed, of an aggregation that is compared with a number.
    """
    try:
        import promql_parser
    except ImportError:
        return None
    node = promql_parser.parse(expression)
    while True:
        if isinstance(node, promql_parser.ParenExpr):
            node = node.expr
        elif isinstance(node, promql_parser.BinaryExpr) and isinstance(node.rhs, promql_parser.NumberLiteral):
            node = node.lhs
        else:
            break
    if not isinstance(node, promql_parser.AggregateExpr) or str(node.op) in _KEEPING:
        return None
    if node.modifier is None:
        return frozenset()
    by = node.modifier.type == promql_parser.AggModifierType.By
    return frozenset(node.modifier.labels) if by else None


def operations(expression: str) -> frozenset[str]:
    """Return what `expression` does: the functions and aggregations that it calls, and "/" where it divides."""
    bare = _without_selectors(expression)
    called = {word.lower() for word in _CALL.findall(bare)} - _KEYWORDS
    return frozenset(called | ({"/"} if "/" in bare else set()))


def narrowed(expression: str, matcher: str, only: Callable[[str], bool] = lambda _: True) -> str:
    """Return `expression` with one more matcher, such as 'job="shop"', in the selectors whose metric is one of `only`: in all."""

    def changed(part: re.Match[str]) -> str:
        name, braces = part["name"] or "", part["matchers"] or part["nameless"] or ""
        if part["verbatim"] or part["call"] or (not braces and name.lower() in _KEYWORDS | _AGGREGATIONS):
            return part[0]
        if not only(name):
            return part[0]
        inside = braces[1:-1].strip().rstrip(",")
        return f"{name}{{{inside}{',' if inside else ''}{matcher}}}"

    return _PART.sub(changed, expression)


def _without_selectors(expression: str) -> str:
    """Return `expression` without strings, comments, label matchers and ranges; a subquery's inside stays."""
    bare = _STRING_OR_COMMENT.sub("", expression)
    return _RANGE.sub(" ", _SELECTOR.sub(" ", bare))


def _ask_promtool(promtool: str, expression: str) -> str | None:
    rule = {"groups": [{"name": "check", "rules": [{"record": "check", "expr": expression}]}]}
    with tempfile.TemporaryDirectory(prefix="runtime-exporter-") as directory:
        path = Path(directory) / "check.yaml"
        path.write_text(yaml.safe_dump(rule), encoding="utf-8")
        done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program
    if done.returncode == 0:
        return None
    found = _PROMTOOL_PLACE.search(done.stdout + done.stderr)
    return found[1] if found else "promtool refuses it"
