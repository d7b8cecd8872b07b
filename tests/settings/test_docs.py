"""docs/settings.md is written from the rows: a setting that it lacks is one that was forgotten."""

from __future__ import annotations

from pathlib import Path

from runtime_exporter.settings import SETTINGS
from runtime_exporter.settings_page import page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_of_the_settings_is_what_the_rows_say():
    assert page(SETTINGS) == PAGE.read_text(encoding="utf-8"), (
        "runtime-exporter list settings --markdown > docs/settings.md"
    )


def test_every_setting_and_its_variable_is_on_the_page():
    content = PAGE.read_text(encoding="utf-8")

    missing = [row.name for row in SETTINGS if f"`{row.name}`" not in content or f"`{row.variable}`" not in content]

    assert [] == missing


def test_every_setting_has_a_sentence_of_help():
    assert [] == [row.name for row in SETTINGS if not row.help.endswith((".", ")"))]
