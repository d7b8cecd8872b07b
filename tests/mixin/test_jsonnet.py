"""Evaluation of the bundle: what comes back, and what an error says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from runtime_exporter.errors import BundleError, MissingExtraError
from runtime_exporter.mixin import bundle, jsonnet

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    return tmp_path


def evaluate(root: Path, source: str, **others: str) -> object:
    (root / "rules" / "main.jsonnet").write_text(source)
    for name, text in others.items():
        (root / "rules" / f"{name}.libsonnet").write_text(text)
    return jsonnet.evaluate("rules/main.jsonnet", config={"limit": 5, "name": 'a "quoted" ü'}, root=root)


def test_the_configuration_is_the_external_variable(root: Path) -> None:
    assert {"got": {"limit": 5, "name": 'a "quoted" ü'}} == evaluate(root, "{ got: std.extVar('config') }")


def test_a_file_of_the_bundle_can_be_imported(root: Path) -> None:
    assert {"a": 1} == evaluate(root, "import 'part.libsonnet'", part="{ a: 1 }")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{\n  a: 1\n  b: 2 }", "rules/main.jsonnet:3:3: expected a comma before next field."),
        ("{\n  a: self.b }", "rules/main.jsonnet:2:6-12: field does not exist: b"),
        ("{ a: error 'two\\nlines' }", "rules/main.jsonnet:1:6-24: two lines"),
        ("{ a: '%(b)s' % {} }", "rules/main.jsonnet:1:6-18: No such field: b"),
        ("{ a: function(x) x }", "rules/main.jsonnet:1:6-19: couldn't manifest function in JSON output."),
        ("[1]", "rules/main.jsonnet: evaluates to list, not to an object"),
        (
            "import 'part.libsonnet'",
            'rules/main.jsonnet:1:1-24: couldn\'t open import "part.libsonnet": No such file or directory',
        ),
    ],
)
def test_an_error_is_one_line_with_file_line_and_the_evaluators_text(root: Path, source: str, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        evaluate(root, source)
    assert message == str(caught.value)
    assert root / "rules" / "main.jsonnet" == caught.value.path


def test_an_error_in_an_imported_file_names_that_file(root: Path) -> None:
    with pytest.raises(BundleError) as caught:
        evaluate(root, "(import 'part.libsonnet')(1)", part="function(x)\n  { a: x.y }")
    assert str(caught.value).startswith("rules/part.libsonnet:2:8-11: ")
    assert root / "rules" / "part.libsonnet" == caught.value.path


@pytest.mark.parametrize("path", ["../../../../../../../../etc/hostname", "/etc/hostname"])
def test_an_import_from_outside_of_the_bundle_is_refused(root: Path, path: str) -> None:
    for word in ("import", "importstr"):
        with pytest.raises(BundleError, match="is outside the bundle"):
            evaluate(root, f"{{ a: {word} '{path}' }}")


def test_each_file_imports_from_where_it_is_and_keeps_its_own_names(root: Path) -> None:
    (root / "rules" / "lib").mkdir()
    (root / "rules" / "lib" / "one.libsonnet").write_text(
        "local name = import 'two.libsonnet';\n{ one: name, own: $.one }"
    )
    (root / "rules" / "lib" / "two.libsonnet").write_text("// import 'none.libsonnet' is said here only\n'two' // last")
    source = "local name = 'main';\n(import 'lib/one.libsonnet') { name: name, text: importstr 'lib/two.libsonnet' }"
    expected = {"one": "two", "own": "two", "name": "main", "text": (root / "rules/lib/two.libsonnet").read_text()}
    assert evaluate(root, source) == expected


def test_the_bundle_joined_is_the_bundle_file_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = jsonnet.evaluate("rules/main.jsonnet", config={"showMultiCluster": True})

    def unreadable(*_: object) -> str:
        raise OSError

    monkeypatch.setattr(jsonnet, "_joined", unreadable)
    assert jsonnet.evaluate("rules/main.jsonnet", config={"showMultiCluster": True}) == joined


def test_a_missing_entry_is_named(root: Path) -> None:
    with pytest.raises(BundleError) as caught:
        jsonnet.evaluate("rules/none.jsonnet", root=root)
    assert str(caught.value) == "rules/none.jsonnet: cannot be read: No such file or directory"


def test_without_jsonnet_the_pip_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_jsonnet", None)
    with pytest.raises(MissingExtraError) as caught:
        jsonnet.evaluate("rules/main.jsonnet", config={})
    assert str(caught.value) == "jsonnet is not installed: pip install 'runtime-exporter[mixin]'"


def test_the_checkout_is_the_bundle_where_none_is_packaged() -> None:
    assert (bundle.root() / "pyproject.toml").is_file()
    assert (bundle.root() / "rules" / "config.libsonnet").is_file()


def test_a_number_is_written_as_a_format_of_twelve_digits_writes_it(root: Path) -> None:
    numbers = [
        0,
        7,
        -3,
        0.1,
        0.05,
        1 / 3,
        14.4 * (1 - 0.999),
        1 - 0.9995,
        99.95,
        0.0010000000000000009,
        1e-5,
        123456.789,
        2.5e15,
    ]
    numbers += [
        round(whole + step / 7, places) for whole in (0, 12, 4096) for step in range(1, 7) for places in range(1, 10)
    ]
    (root / "rules" / "lib").mkdir()
    for name in ("number", "fill"):
        text = (bundle.root() / f"rules/lib/{name}.libsonnet").read_text()
        (root / "rules" / "lib" / f"{name}.libsonnet").write_text(text)
    source = f"{{ ours: std.map(import 'lib/number.libsonnet', {numbers}), format: ['%.12g' % n for n in {numbers}] }}"
    written = evaluate(root, source)
    assert isinstance(written, dict)
    assert written["ours"] == written["format"]
