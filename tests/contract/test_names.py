"""The joint between the two halves: the names of metrics, in the code, in the documents, in rules and dashboards."""

from __future__ import annotations

import re
from pathlib import Path

import promql_parser as promql
import pytest
import yaml

import promql_tree
from runtime_exporter.act.metrics import ActMetrics
from runtime_exporter.agent.collector import AgentCollector
from runtime_exporter.exporter import Exporter
from runtime_exporter.http import HTTPMetrics
from runtime_exporter.metrics import catalogue
from runtime_exporter.mixin import contract
from runtime_exporter.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
GENERATED = sorted((ROOT / "generated").rglob("*.yaml")) + sorted((ROOT / "generated").rglob("*.json"))
UNITS = {"seconds", "bytes", "ratio", "info", "cores"}


@pytest.fixture(scope="module")
def families():
    exporter = Exporter(Settings(http_body_sizes=True), http=HTTPMetrics(body_sizes=True))
    return {metric.family.name: metric.family for metric in exporter.families()}


def test_the_page_of_metrics_is_what_the_code_says():
    exporter = Exporter(Settings(http_body_sizes=True), http=HTTPMetrics(body_sizes=True))
    written = (ROOT / "docs" / "metrics.md").read_text()
    assert catalogue.page([*exporter.families(), *AgentCollector(tuple).families]) == written, (
        "run: runtime-exporter list metrics --markdown > docs/metrics.md"
    )


def test_the_samples_of_the_dashboards_tests_are_of_the_families_that_there_are(families):
    sampled = yaml.safe_load((ROOT / "tests" / "dashboards" / "contract.yaml").read_text())
    rows = {(name, about["type"], tuple(sorted(about.get("labels", {})))) for name, about in sampled.items()}
    of_each = {
        ("worker_" + catalogue.exposed_name(family), family.type, tuple(sorted((*family.labelnames, "worker"))))
        for family in families.values()
        if family.per_worker
    }
    assert rows - of_each == {
        (catalogue.exposed_name(family), family.type, tuple(sorted(family.labelnames))) for family in families.values()
    }


def test_there_are_generated_files():
    assert 4 < len(GENERATED)


def test_every_name_that_rules_and_dashboards_read_is_exposed_or_recorded(families):
    exposed = {name for family in families.values() for name in catalogue.names(family)}
    assert [] == contract.unknown_names(GENERATED, exposed)


def test_what_each_worker_says_is_never_added_to_what_all_say(families):
    """A pattern of names would find both families, and a sum of both is twice the truth: one may only stand in for the other."""
    of_each = {catalogue.OF_WORKER + name for family in families.values() for name in family.sample_names()}
    texts = {path.name: path.read_text() for path in GENERATED}
    assert [] == [name for name, text in texts.items() if "__name__" in text]
    reading = {name: text for name, text in texts.items() if contract.names_used(text) & of_each}
    assert {"alerts.yaml", "recording.yaml", "runtime.json"} == reading.keys()
    expressions = [expression for text in reading.values() for expression in contract.expressions(text)]
    assert [] == [expression for expression in expressions if mixes(promql_tree.parse(expression), of_each)]


@pytest.mark.parametrize(
    ("expression", "mixed"),
    [
        ("max without (worker) (worker_a) or a", False),
        ("(max without (worker) (rate(worker_a[5m])) or rate(a[5m])) > 0.1", False),
        ("sum(worker_a)", False),
        ("worker_a + on () group_left () a", True),
        ("sum(worker_a or a)", True),
        ("(worker_a or a) and a", False),
        ("b > time() - (min without (worker) (worker_a) or a)", True),
        ("b and 2 * (time() - (min without (worker) (worker_a) or a)) > 3", False),
    ],
)
def test_it_would_be_found(expression, mixed):
    assert mixed == mixes(promql_tree.parse(expression), {"worker_a"})


def mixes(node, of_each):
    """Return whether an expression calculates with what each worker says and what all say, but for `one or the other`."""
    names = {each.name in of_each for each in promql_tree.selectors(node)}
    if names != {True, False}:
        return False
    if isinstance(node, promql.ParenExpr):
        return mixes(node.expr, of_each)
    if isinstance(node, promql.BinaryExpr):
        numbers = not all([*promql_tree.selectors(side)] for side in (node.lhs, node.rhs))
        if numbers or str(node.op) in ("or", "and", "unless"):  # these choose series, and change no value
            return mixes(node.lhs, of_each) or mixes(node.rhs, of_each)
    return True


def test_what_is_known_of_act_is_what_it_exposes():
    families = [family for metric in ActMetrics(["restart"], dry_run=True).families for family in metric.collect()]
    exposed = {sample.name for family in families for sample in family.samples}
    assert contract.OF_ACT == {name for name in exposed if not name.endswith("_created")}


def test_every_name_the_documents_speak_of_exists(families):
    exposed = {name for family in families.values() for name in catalogue.names(family)} | contract.OF_ACT
    recorded = set().union(*(contract.names_recorded(path.read_text()) for path in GENERATED if path.suffix == ".yaml"))
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    spoken = re.compile(
        r"\b(?:worker|process|python|http_server|host|runtime_exporter)_[a-z0-9_]+_(?:total|bytes|seconds|ratio|info)\b"
    )
    wrong = {
        (str(page.relative_to(ROOT)), name)
        for page in pages
        for name in spoken.findall(page.read_text())
        if name not in exposed | recorded and not any(name in longer for longer in recorded)
    }
    assert set() == wrong


def test_every_help_is_one_sentence(families):
    assert [] == [
        family.name
        for family in families.values()
        if not re.fullmatch(r"[A-Z0-9][^\n]*\.", family.documentation) or "|" in family.documentation
    ]


def test_no_family_is_called_what_another_ones_samples_are_called(families):
    names = [name for family in families.values() for name in catalogue.names(family)]
    assert sorted(set(names)) == sorted(names)


def test_durations_sizes_and_shares_say_their_unit(families):
    odd = [
        family.name
        for family in families.values()
        if family.type == "histogram" and family.name.rsplit("_", 1)[1] not in UNITS
    ]
    assert [] == odd
