"""The page docs/settings.md, from the rows of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.settings.sources import COMPILED_VARIABLE, INTERNAL_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.settings.sources import Setting

_HEAD = """\
<!-- Written by `runtime-exporter list settings --markdown`: change the rows of exporter/runtime_exporter/settings/__init__.py. -->
# Settings

A setting has one name, and four places to be given, the first of which decides:

1. an argument: `runtime_exporter.start(port=9500)`,
2. the environment variable of its row; an empty one sets nothing,
3. a configuration file, YAML or JSON: the one that `config_file` names, else the first of `config.yaml`, `config.yml` and
   `config.json` in `$XDG_CONFIG_HOME/runtime-exporter` (`~/.config/runtime-exporter`) and in the same directory of each of `$XDG_CONFIG_DIRS`
   (`/etc/xdg`). A relative path in it starts at the file,
4. the default.

A name that is no setting, and a value that is not right, is refused when the exporter starts, in one line that says where it was given. What is in effect,
and why, is printed by `runtime-exporter list settings` and served at `/debug/config`; secrets are masked in both.

Durations are seconds, or as Prometheus writes them: `15s`, `500ms`, `1m30s`. Ratios are `0.01` or `1%`. Lists are YAML lists, or text with commas.
Variables that Kubernetes sets for a Service called `runtime-exporter` (`RUNTIME_EXPORTER_SERVICE_HOST`, `RUNTIME_EXPORTER_PORT=tcp://…`) are passed over.

```yaml
# ~/.config/runtime-exporter/config.yaml
address: 0.0.0.0
web_config_file: web.yml
collectors: [-objects]
health_timeout: 500ms
```

| setting | default | environment variable | what |
|---|---|---|---|
"""

_COMPILED = f"""\
`{COMPILED_VARIABLE}=false` in the environment has requests counted in Python alone, as where nothing was [compiled](python.md#compiled).
It is no setting, since it decides before there are any.
"""


def page(rows: Iterable[Setting]) -> str:
    """Return the page as Markdown."""
    lines = [f"| `{row.name}` | {_cell(row.default)} | `{row.variable}` | {_escaped(row.help)} |\n" for row in rows]
    internal = ", ".join(f"`{name}`" for name in sorted(INTERNAL_VARIABLES))
    return f"{_HEAD}{''.join(lines)}\n{_COMPILED}\nSet by the package itself for the processes that it starts, and no settings: {internal}.\n"


def written(value: object) -> str:
    """Return a value as a user would write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(written(item) for item in value)
    return str(value)


def _cell(value: object) -> str:
    text = written(value)
    return f"`{text}`" if text else ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
