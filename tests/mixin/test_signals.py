"""Sources without servers: what their words do to rules and dashboards; tests/sources/ asks the real libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import unsafe_promql
from rule_files import rules
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import contract, dashboards, signalspage, sources
from runtime_exporter.mixin.generate import generate

FOREIGN = sorted(set(sources.known()) - {sources.NATIVE})
each_source = pytest.mark.parametrize("word", FOREIGN)


def test_the_page_of_signals_is_what_the_tables_say():
    written = Path(__file__).parents[2] / "docs" / "signals.md"
    assert written.read_text() == signalspage.page()


@each_source
def test_rules_read_what_the_source_has(word):
    source = sources.known()[word]
    found = rules("alert", {"source": word}) + rules("record", {"source": word})
    assert {name for rule in found for name in contract.names_of(rule["expr"]) if not source.has(name)} == set()
    assert {rule["expr"]: problems for rule in found if (problems := unsafe_promql.problems(rule["expr"]))} == {}


@each_source
def test_every_recorded_series_that_an_alert_reads_is_recorded(word):
    recorded = {rule["record"] for rule in rules("record", {"source": word})}
    read = {name for rule in rules("alert", {"source": word}) for name in contract.names_of(rule["expr"])}
    assert {name for name in read if ":" in name} <= recorded


@each_source
def test_panels_read_what_the_source_has(word):
    source = sources.known()[word]
    files = generate({"source": word})
    for name, text in files.items():
        if name.startswith("dashboards/"):
            assert [each for each in contract.expressions(text) if unsafe_promql.problems(each)] == []
            for panel in dashboards.panels_of(json.loads(text)):
                reads = [contract.names_of(target["expr"]) for target in panel["targets"]]
                lacking = [names for names in reads if not all(map(source.has, names))]
                assert len(lacking) < len(reads) if panel["type"] == "table" else not lacking, panel["title"]


def test_an_unknown_word_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigError, match='source: "flask" is none of django_prometheus, go, native'):
        generate({"source": "flask"})
