"""What can be known about a text with Go templates without Prometheus: are its actions closed, and its functions known."""

from __future__ import annotations

import re

# Go's own, those that Prometheus 2.42 adds (template/template.go), and at the end those of later releases.
_FUNCTIONS = frozenset({
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf", "println", "slice",
    "urlquery",
    "args", "externalURL", "first", "graphLink", "humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp",
    "label", "match", "parseDuration", "pathPrefix", "query", "reReplaceAll", "safeHtml", "sortByLabel", "stripDomain", "stripPort",
    "strvalue", "tableLink", "title", "toLower", "toTime", "toUpper", "value",
    "now", "toDuration", "urlQueryEscape",
})  # fmt: skip
_KEYWORDS = frozenset({
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with", "true", "false", "nil",
})  # fmt: skip
_VARIABLES = frozenset({"labels", "value", "externalLabels", "externalURL"})
_OPENS = frozenset({"block", "define", "if", "range", "with"})
# A string in an action may hold the signs that close one.
_ACTION = re.compile(r'\{\{((?:"(?:\\.|[^"\\\n])*"|`[^`]*`|/\*.*?\*/|(?!\}\})[^"`])*)\}\}', re.DOTALL)
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|`[^`]*`')
_COMMENT = re.compile(r"/\*.*\*/", re.DOTALL)
_DECLARED = re.compile(r"\$(\w+)(?=\s*(?:,\s*\$\w+\s*)?:?=)")
_OF_ALERT = re.compile(r"\$labels\.(\w+)")
_VARIABLE = re.compile(r"\$(\w+)")
_FUNCTION = re.compile(r"(?<![\w.$])([A-Za-z_]\w*)")


def labels_named(text: str) -> list[str]:
    """Return the labels of the alert that the actions of a template name, as in {{ $labels.job }}."""
    return [label for action in _ACTION.findall(text) for label in _OF_ALERT.findall(_STRING.sub('""', action))]


def template_error(text: str) -> str | None:
    """Return what keeps Prometheus from reading `text` as the template of an annotation or a label, or None.

    One such text makes Prometheus refuse the whole file of rules. The types of arguments are left to promtool.
    """
    actions = [_STRING.sub('""', _COMMENT.sub("", action)).strip() for action in _ACTION.findall(text)]
    if "{{" in _ACTION.sub("", text):
        return "{{ is not closed"
    declared = _VARIABLES.union(*(_DECLARED.findall(action) for action in actions))
    depth = 0
    for action in actions:
        words = _FUNCTION.findall(action)
        unknown = [word for word in words if word not in _FUNCTIONS | _KEYWORDS]
        unknown += [f"${name}" for name in _VARIABLE.findall(action) if name not in declared]
        if unknown:
            return f"Prometheus knows no {unknown[0]}"
        depth += sum(word in _OPENS for word in words[:1]) - (words[:1] == ["end"])
        if depth < 0:
            return "{{ end }} ends nothing"
    return "an {{ end }} is missing" if depth else None
