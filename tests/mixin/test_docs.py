"""What the pages tell people to write into their configuration is there to be written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime_exporter.mixin import config
from runtime_exporter.mixin.generate import generate

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "runbooks").glob("*.md"))]
DEFAULTS = config.defaults()
# docs/notifications.md is about one section, and names its keys without it.
SECTIONS = {"notifications.md": DEFAULTS["alertmanager"]}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def is_key(path: str, settings: Any) -> bool:
    for key in path.split("."):
        if not isinstance(settings, dict) or key not in settings:
            return False
        settings = settings[key]
    return True


def keys_named(text: str, settings: dict[str, Any]) -> list[str]:
    """Return what stands in backticks and begins as a section of the settings: `alerts.gcPressure.for`, but not `alerts.yaml`."""
    sections = "|".join(key for key, value in settings.items() if isinstance(value, dict))
    return re.findall(rf"`((?:{sections})\.(?!yaml|yml|md|tmpl|html|txt)[A-Za-z.]+)[`=:]", text)


@each_page
def test_a_setting_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    unknown = [path for path in keys_named(text, DEFAULTS) if not is_key(path, DEFAULTS)]
    section = SECTIONS.get(page.name, {})
    unknown += [path for path in keys_named(text, section) if section and not is_key(path, section)]
    assert unknown == []


def test_the_pages_name_settings() -> None:
    named = {path for page in PAGES for path in keys_named(page.read_text(encoding="utf-8"), DEFAULTS)}
    assert {"alerts.gcPressure.ratio", "http.objective", "alertmanager.email.authUsername"} <= named


@pytest.mark.parametrize("name", ["README.md", "docs/notifications.md"])
def test_the_example_of_a_page_generates(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert "alertmanager/alertmanager.yml" in generate(yaml.safe_load(example))
