"""How our pages look: one small style sheet, dark where the reader's system is."""

from __future__ import annotations

from html import escape

_CSS = """\
:root { color-scheme: light dark; --ink: #1f2430; --soft: #5b6472; --line: #e3e6ec; --paper: #ffffff; --tint: #f5f6f9; --accent: #b4430e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ee; --soft: #9aa3b2; --line: #2c313c; --paper: #14161b; --tint: #1c1f26; --accent: #ff9a5c; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3rem 1.25rem 4rem; }
main.wide { max-width: 76rem; }
header { border-bottom: 1px solid var(--line); margin-bottom: 2rem; padding-bottom: 1rem; }
h1 { font-size: clamp(1.25rem, 6vw, 1.75rem); line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3, h4 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, ul, ol { margin: .5rem 0 .75rem; }
li { margin: .2rem 0; }
a { color: var(--accent); text-underline-offset: .15em; }
.soft, dd { color: var(--soft); }
code { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--tint); border-radius: 4px; padding: .1em .3em; }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem; overflow-x: auto; }
pre code { background: none; padding: 0; }
blockquote { margin: 1rem 0; padding: 0 1rem; border-left: 3px solid var(--line); color: var(--soft); }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); }
dl { margin: 0; }
dl > div { padding: .6rem 0; border-bottom: 1px solid var(--line); }
dt { font-weight: 600; }
dd { margin: 0; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.name { overflow-wrap: anywhere; min-width: 16rem; }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
.share { display: inline-block; width: 6rem; height: .6em; background: var(--tint); border-radius: 3px; overflow: hidden; }
.share > i { display: block; height: 100%; background: var(--accent); }
tr.chosen td { background: var(--tint); }
tr.chosen td.name code { font-weight: 600; }
@media (max-width: 45rem) {
  table.functions thead { display: none; }
  table.functions tbody, table.functions tr { display: block; }
  table.functions tr { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .75rem; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  table.functions td { border: 0; padding: 0; }
  table.functions td.name { order: -1; flex: 0 0 100%; }
  table.functions .share { width: 3rem; }
  table.functions tr.chosen { background: var(--tint); }
  table.functions td[data-head]::before { content: attr(data-head) " "; color: var(--soft); }
  table.rows thead { display: none; }
  table.rows tbody { display: block; }
  table.rows tr { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .75rem; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  table.rows td { border: 0; padding: 0; overflow-wrap: anywhere; min-width: 0; }
  table.rows td:empty { display: none; }
  table.rows td:first-child { flex: 0 0 100%; font-weight: 600; }
  table.rows td .soft { font-weight: 400; }
  table.rows td[data-head]::before { content: attr(data-head) " "; color: var(--soft); }
}
.note { border-left: 3px solid var(--accent); padding: .25rem 0 .25rem 1rem; margin: 1rem 0; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .5rem 0; }
nav a[aria-current] { color: inherit; font-weight: 600; text-decoration: none; }
iframe { display: block; width: 100%; height: 85vh; border: 1px solid var(--line); border-radius: 6px; }
button { font: inherit; color: inherit; background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .2rem .9rem; cursor: pointer; }
"""


def document(title: str, body: str, *, wide: bool = False, again: float = 0) -> str:
    """Return an HTML page; `body` is HTML, `title` is text.

    `wide` is for tables and charts, `again` the seconds after which the browser asks again, 0 for never.
    """
    refresh = f'<meta http-equiv="refresh" content="{again:.0f}">\n' if again else ""
    shape = ' class="wide"' if wide else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{refresh}<title>{escape(title)}</title>\n<style>\n{_CSS}</style>\n</head>\n<body>\n<main{shape}>\n{body}</main>\n</body>\n</html>\n"
    )
