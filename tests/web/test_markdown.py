"""Our Markdown becomes HTML that reads well and that no text can break out of."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.web.markdown import inline, to_html

TAGS = {"h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "blockquote", "pre", "code", "hr", "a", "strong", "em"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("# Title #", "<h1>Title</h1>"),
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("- a\n- b\n  more\n", "<ul>\n<li>a</li>\n<li>b more</li>\n</ul>"),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("- a\n\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("- a\n1. b", "<ul>\n<li>a</li>\n</ul>\n<ol>\n<li>b</li>\n</ol>"),
        (
            "1. a:\n\n   ```\n   x < y\n   ```\n2. b",
            "<ol>\n<li><p>a:</p>\n<pre><code>x &lt; y\n</code></pre>\n</li>\n<li>b</li>\n</ol>",
        ),
        ("- a\n  - b", "<ul>\n<li><p>a</p>\n<ul>\n<li>b</li>\n</ul>\n</li>\n</ul>"),
        ("```promql\nrate(x[5m])\n\n# y\n```\nafter", "<pre><code>rate(x[5m])\n\n# y\n</code></pre>\n<p>after</p>"),
        ("```\nnever closed", "<pre><code>never closed\n</code></pre>"),
        ("    indented", "<pre><code>indented\n</code></pre>"),
        ("> a\n> b", "<blockquote><p>a b</p>\n</blockquote>"),
        (
            "| a | b |\n|---|---|\n| 1 | `x\\|y` |",
            "<table>\n<thead><tr><th>a</th><th>b</th></tr></thead>\n<tbody>\n<tr><td>1</td><td><code>x|y</code></td></tr>\n</tbody>\n</table>",
        ),
        ("---", "<hr>"),
        ("<!-- hidden -->\nseen", "<p>seen</p>"),
    ],
)
def test_a_block_becomes_its_html(source, html):
    assert html == to_html(source).strip()


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("`a_b*c*`", "<code>a_b*c*</code>"),
        ("`` a`b ``", "<code>a`b</code>"),
        ("**bold** and *slanted* and _too_", "<strong>bold</strong> and <em>slanted</em> and <em>too</em>"),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        ("[x](https://a.b/c?d=1&e=2)", '<a href="https://a.b/c?d=1&amp;e=2">x</a>'),
        ("[x](Other.md) [y](#z)", '<a href="Other.md">x</a> <a href="#z">y</a>'),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("[x](JavaScript:alert)", "[x](JavaScript:alert)"),
        ("[x](data:text/html,x)", "[x](data:text/html,x)"),
        ('[x](http://a"onclick="b)', '<a href="http://a&quot;onclick=&quot;b">x</a>'),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
    ],
)
def test_marks_in_a_line_become_their_html(source, html):
    assert html == inline(source)


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.wrong = []

    def handle_starttag(self, tag, attrs):
        if tag not in TAGS or [name for name, _ in attrs] != (["href"] if tag == "a" else []):
            self.wrong.append((tag, attrs))
        if tag == "a" and re.match(r"\s*(javascript|data|vbscript):", attrs[0][1] or "", re.IGNORECASE):
            self.wrong.append(attrs)
        if tag != "hr":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


marks = st.text(alphabet="ab <>&\"'`*_[]()#-|>1.\n\t:/\\", max_size=120)


@given(st.one_of(marks, st.text(max_size=120)))
def test_whatever_the_text_is_tags_are_ours_and_balanced(source):
    reader = Reader()
    reader.feed(to_html(source))
    reader.close()

    assert ([], []) == (reader.wrong, reader.open)


def test_deep_nesting_ends():
    assert "<blockquote>" in to_html(">" * 2000 + "x")
    assert to_html("\n".join("  " * depth + "- x" for depth in range(200))).startswith("<ul>")
