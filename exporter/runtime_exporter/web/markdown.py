"""The Markdown of our runbooks as HTML: headings, paragraphs, lists, tables, quotes, code, links. All else is text.

Everything is escaped before anything is marked up, so no text of a page can become a tag.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEEPEST = 8  # lists in lists in quotes; deeper is text
_FENCE = "```"
_HEADING = re.compile(r"(#{1,4})\s+(.*?)\s*#*")
_ITEM = re.compile(r"(?:([-*+])|\d{1,4}[.)])\s+(?=\S)")
_TABLE_RULE = re.compile(r"\|?[ :|-]*-[ :|-]*\|?")
_LINE_RULE = re.compile(r"(?:-{3,}|\*{3,}|_{3,})")
_CODE = re.compile(r"(`+)(.+?)\1")
_LINK = re.compile(r"\[([^\]]+)\]\(([^\s()]+)\)")
_URL = re.compile(r"(?:https?://|mailto:|[#/.]|(?![a-z][a-z0-9+.-]*:)[a-z0-9])", re.IGNORECASE)
_STRONG = re.compile(r"\*\*(\S(?:.*?\S)?)\*\*")
_EMPHASIS = re.compile(r"(?<![\w*])([*_])(\S(?:[^*_]*?\S)?)\1(?![\w*])")


def to_html(source: str) -> str:
    """Return `source`, Markdown, as HTML that holds no tag but those of this module."""
    return "".join(_blocks(source.expandtabs(4).splitlines(), 0))


def inline(text: str) -> str:
    """Return the text of one block as HTML: code, links, strong and emphasised text."""
    parts = []
    at = 0
    for code in _CODE.finditer(text):  # first, since nothing in it is markup
        parts += [_marked(text[at : code.start()]), f"<code>{escape(code[2].strip())}</code>"]
        at = code.end()
    return "".join([*parts, _marked(text[at:])])


def _marked(text: str) -> str:
    marked = _LINK.sub(_link, escape(text))
    marked = _STRONG.sub(r"<strong>\1</strong>", marked)
    return _EMPHASIS.sub(r"<em>\2</em>", marked)


def _link(found: re.Match[str]) -> str:
    label, url = found.groups()  # escaped both
    return f'<a href="{url}">{label}</a>' if _URL.match(url) else found[0]


def _blocks(lines: list[str], depth: int) -> Iterator[str]:
    at = 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].startswith("<!--"):
            at += 1
            continue
        end, block = _block(lines, at, depth)
        yield block
        at = end


def _block(lines: list[str], at: int, depth: int) -> tuple[int, str]:
    """Return where the block that starts at a line ends, and its HTML."""
    line = lines[at]
    if line.startswith((_FENCE, "    ")):
        return _code(lines, at)
    heading = _HEADING.fullmatch(line)
    if heading:
        level = len(heading[1])
        return at + 1, f"<h{level}>{inline(heading[2])}</h{level}>\n"
    if _LINE_RULE.fullmatch(line.strip()):
        return at + 1, "<hr>\n"
    if depth < _DEEPEST and (line.startswith(">") or _ITEM.match(line)):
        return _quote(lines, at, depth) if line.startswith(">") else _list(lines, at, depth)
    if _is_table(lines, at):
        end = _while(lines, at, lambda each: "|" in each)
        return end, _table([lines[at], *lines[at + 2 : end]])
    end = _while(lines, at + 1, _continues)
    return end, f"<p>{inline(' '.join(each.strip() for each in lines[at:end]))}</p>\n"


def _code(lines: list[str], at: int) -> tuple[int, str]:
    if lines[at].startswith(_FENCE):
        end = _while(lines, at + 1, lambda each: not each.startswith(_FENCE))
        return end + 1, _preformatted(lines[at + 1 : end])
    end = _while(lines, at, lambda each: each.startswith("    "))
    return end, _preformatted([each[4:] for each in lines[at:end]])


def _quote(lines: list[str], at: int, depth: int) -> tuple[int, str]:
    end = _while(lines, at, lambda each: each.startswith(">"))
    quoted = "".join(_blocks([each[1:].removeprefix(" ") for each in lines[at:end]], depth + 1))
    return end, f"<blockquote>{quoted}</blockquote>\n"


def _while(lines: list[str], at: int, holds: Callable[[str], bool]) -> int:
    while at < len(lines) and holds(lines[at]):
        at += 1
    return at


def _continues(line: str) -> bool:
    """Return whether a line goes on with the paragraph before it."""
    return bool(line.strip()) and not line.startswith((_FENCE, "#", ">")) and not _ITEM.match(line)


def _preformatted(lines: list[str]) -> str:
    return f"<pre><code>{escape(chr(10).join(lines))}\n</code></pre>\n"


def _is_table(lines: list[str], at: int) -> bool:
    return "|" in lines[at] and at + 1 < len(lines) and _TABLE_RULE.fullmatch(lines[at + 1].strip()) is not None


def _table(lines: list[str]) -> str:
    head, *body = (_cells(line) for line in lines)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in body)
    titles = "".join(f"<th>{cell}</th>" for cell in head)
    return f"<table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [inline(cell.strip().replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", inner)]


def _list(lines: list[str], at: int, depth: int) -> tuple[int, str]:
    """Return where a list ends, and its HTML; what is indented below an item is the item's."""
    first = _ITEM.match(lines[at])
    bulleted = bool(first and first[1])
    items = []
    while at < len(lines):
        mark = _ITEM.match(lines[at])
        if not mark or bool(mark[1]) != bulleted:
            break
        end = _end_of_item(lines, at + 1)
        items.append(
            _item([lines[at][mark.end() :], *(_dedented(each, mark.end()) for each in lines[at + 1 : end])], depth)
        )
        at = _while(lines, end, lambda each: not each.strip())
    tag = "ul" if bulleted else "ol"
    return at, f"<{tag}>\n{''.join(items)}</{tag}>\n"


def _end_of_item(lines: list[str], at: int) -> int:
    while at < len(lines):
        blank_end = _while(lines, at, lambda each: not each.strip())
        if blank_end < len(lines) and lines[blank_end].startswith("  "):
            at = blank_end + 1
        elif blank_end == at and _continues(lines[at]):
            at += 1
        else:
            break
    return at


def _dedented(line: str, width: int) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return line[min(indent, width) :]


def _item(lines: list[str], depth: int) -> str:
    content = "".join(_blocks(lines, depth + 1))
    single = re.fullmatch(r"<p>(.*)</p>\n", content)  # an item of one paragraph stands tight
    return f"<li>{single[1] if single else content}</li>\n"
