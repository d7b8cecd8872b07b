"""docs/settings.md is written from the rows: a setting that it lacks is one that was forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from runtime_exporter.bootstrap import MARK
from runtime_exporter.collectors import ALL
from runtime_exporter.settings import SETTINGS, load, select
from runtime_exporter.settings.page import page
from runtime_exporter.settings.sources import COMPILED_VARIABLE, INTERNAL_VARIABLES

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


def test_the_example_on_the_page_is_one_that_works():
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    settings = load(yaml.safe_load(example), {"HOME": "/nonexistent", "XDG_CONFIG_DIRS": "/nonexistent"})

    assert len(ALL) - 1 == len(select(settings, ALL))


def test_the_variable_that_run_sets_for_its_program_is_not_refused_as_a_setting():
    assert MARK in INTERNAL_VARIABLES
    assert 9464 == load({}, {MARK: "1", "HOME": "/nonexistent", "XDG_CONFIG_DIRS": "/nonexistent"}).port


def test_the_variable_that_decides_before_there_are_settings_is_not_refused_as_one():
    assert (
        9464 == load({}, {COMPILED_VARIABLE: "false", "HOME": "/nonexistent", "XDG_CONFIG_DIRS": "/nonexistent"}).port
    )
    assert COMPILED_VARIABLE in PAGE.read_text(encoding="utf-8")
