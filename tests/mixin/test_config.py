"""The configuration: merged as RFC 7396 says, and refused where the defaults have no room for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KNOWN: dict[str, Any] = {
    "selector": 'job=~".+"',
    "clusterLabel": "cluster",
    "url": "",
    "interval": "15s",
    "anything": None,
    "open": {},
    "tags": ["a"],
    "free": [],
    "alerts": {
        "enabled": True,
        "leak": {"severity": "warning", "for": "30m", "ratio": 0.5, "bytes": 100},
        "windows": [{"long": "1h", "factor": 14.4}, {"long": "6h", "factor": 6, "note": "x"}],
    },
}


def merged(target: Any, patch: Any) -> Any:
    """The pseudocode of RFC 7396 section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


# Keys say of which kind their value is, as in a configuration; so no mapping ever meets a scalar.
SCALAR_KEYS = st.sampled_from(["a", "b"])
MAPPING_KEYS = st.sampled_from(["m", "n"])
SCALARS = st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=3), st.booleans())


def trees(*, nulls: bool) -> st.SearchStrategy[dict[str, Any]]:
    null = [st.none()] if nulls else []
    leaves = st.dictionaries(SCALAR_KEYS, st.one_of(SCALARS, *null), max_size=2)
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda own, below: {**own, **below},
            leaves,
            st.dictionaries(MAPPING_KEYS, st.one_of(inner, *null), max_size=2),
        ),
        max_leaves=6,
    )


@given(target=trees(nulls=False), first=trees(nulls=True), second=trees(nulls=True))
def test_a_composed_patch_does_what_both_patches_do(target: Any, first: Any, second: Any) -> None:
    if _resurrects(first, second):
        return  # what the first deletes and the second writes into again: no single merge patch can say that
    assert merged(merged(target, first), second) == merged(target, config.compose(first, second))


def _resurrects(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    both = first.keys() & second.keys()
    return any(
        isinstance(second[key], dict) and (first[key] is None or _resurrects(first[key], second[key])) for key in both
    )


@settings(max_examples=25, deadline=None)
@given(patches=st.lists(st.tuples(trees(nulls=False), trees(nulls=True)), min_size=1, max_size=10))
def test_jsonnet_merges_as_the_rfc_says(patches: list[tuple[Any, Any]]) -> None:
    # main.jsonnet merges with std.mergePatch; one evaluation for all pairs, because each costs a start-up.
    import _jsonnet

    pairs = json.dumps(patches)
    text = _jsonnet.evaluate_snippet("pairs", f"[std.mergePatch(pair[0], pair[1]) for pair in {pairs}]")
    assert [merged(target, patch) for target, patch in patches] == json.loads(text)


@given(patch=trees(nulls=True))
def test_what_fits_comes_back_as_it_is(patch: dict[str, Any]) -> None:
    assert {"open": patch} == config.check({"open": patch}, KNOWN)


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"selector": 'job="shop", env=~"prod|canary"'},
        {"selector": ""},
        {"interval": "1m30s"},
        {"interval": "0"},
        {"anything": [1, {"a": None}]},
        {"open": {"X": {"any": ["thing"]}}},
        {"tags": []},
        {"free": [1, "a", None]},
        {"alerts": {"leak": None}},
        {"alerts": {"leak": {"severity": "none", "for": None, "ratio": 1, "bytes": 1.5}}},
        {"alerts": {"windows": [{"long": "3d", "factor": 1}]}},
    ],
)
def test_a_fitting_patch_is_accepted(patch: dict[str, Any]) -> None:
    assert patch == config.check(patch, KNOWN)


def test_a_number_that_yaml_takes_for_text_is_a_number() -> None:
    assert {"alerts": {"leak": {"bytes": 5e6}}} == config.check({"alerts": {"leak": {"bytes": "5e6"}}}, KNOWN)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"alerts": {"leek": {}}}, "alerts.leek: no such key; did you mean 'leak'?"),
        (
            {"alerts": {"zzz": 1}},
            "alerts.zzz: no such key; known there: enabled, leak, windows",
        ),
        ({"alerts": {"leak": {"bytes": "abc"}}}, "alerts.leak.bytes: 'abc' is not a number"),
        ({"alerts": {"leak": {"bytes": True}}}, "alerts.leak.bytes: True is not a number"),
        ({"alerts": {"leak": {"bytes": float("nan")}}}, "alerts.leak.bytes: nan is not a number"),
        ({"alerts": {"leak": {"bytes": "inf"}}}, "alerts.leak.bytes: 'inf' is not a number"),
        ({"alerts": {"enabled": "no way"}}, "alerts.enabled: 'no way' is not true or false"),
        ({"alerts": 5}, "alerts: 5 is not a mapping"),
        ({"interval": 15}, "interval: 15 is not a duration such as 30s, 5m or 1h30m"),
        ({"interval": "1.5h"}, "interval: '1.5h' is not a duration such as 30s, 5m or 1h30m"),
        ({"interval": "30s1m"}, "interval: '30s1m' is not a duration such as 30s, 5m or 1h30m"),
        (
            {"alerts": {"leak": {"severity": "critcal"}}},
            "alerts.leak.severity: 'critcal' is not a severity: critical, warning, info, none; did you mean 'critical'?",
        ),
        (
            {"selector": 'job="shop'},
            """selector: 'job="shop' is not a list of label matchers such as job="shop", env=~"prod|canary\"""",
        ),
        ({"clusterLabel": "my-cluster"}, "clusterLabel: 'my-cluster' is not the name of a label"),
        ({"url": 5}, "url: 5 is not a text"),
        ({"tags": "a"}, "tags: 'a' is not a list"),
        ({"tags": ["a", 1]}, "tags.1: 1 is not a text"),
        ({"alerts": {"windows": [{"long": "1h"}]}}, "alerts.windows.0: {'long': '1h'} lacks factor"),
        ({"open": {"a": {1: 2}}}, "open.a.1: 1 is not a text, as a key must be"),
        ({"open": {"a": [float("inf")]}}, "open.a.0: inf is not a finite number"),
    ],
)
def test_what_does_not_fit_is_refused_with_path_and_value(patch: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.check(patch, KNOWN)
    assert message == str(caught.value)
    assert message.startswith(caught.value.setting)


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["open"] = endless
    with pytest.raises(ConfigError, match="a value contains itself, or is nested too deeply"):
        config.check(endless, KNOWN)


def test_a_later_file_and_then_set_win(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.json"
    first.write_text("alerts: {memoryLeak: {for: 1h, window: 2h}}\nrateInterval: 1m\n")
    second.write_text('{"alerts": {"memoryLeak": {"for": "2h"}}}')
    assert {
        "alerts": {"memoryLeak": {"for": "3h", "window": "2h"}},
        "rateInterval": "1m",
        "showMultiCluster": True,
    } == config.load([first, second], ["alerts.memoryLeak.for=3h", "showMultiCluster=true"]).values


def test_set_takes_yaml() -> None:
    assert {"dashboardTags": ["a", "b"], "alerts": {"cpuSpike": None}} == config.load(
        [], ["dashboardTags=[a, b]", "alerts.cpuSpike=null"]
    ).values


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("novalue", "--set novalue: not of the form key.path=value (null deletes)"),
        ("a..b=1", "--set a..b=1: not of the form key.path=value (null deletes)"),
        ("a=", "--set a=: not of the form key.path=value (null deletes)"),
        ("a=[1", "--set a=[1: the value is not YAML"),
        (
            "selector=!!python/object:os.system x",
            "--set selector=!!python/object:os.system x: the value is not YAML",
        ),
        ("rateIntervall=1m", "--set: rateIntervall: no such key; did you mean 'rateInterval'?"),
    ],
)
def test_a_bad_set_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load([], [assignment])
    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a\n- list\n", ":1: a mapping of names to values is needed"),
        ("alerts: {memoryLeak: [\n", "malformed YAML"),
        ("selector: a\nselector: b\n", ":2:1: 'selector' is given twice"),
        ("a: &x {b: *x}\nselector: *x\n", "a value contains itself"),
        ("customAlerts: {A: 2026-11-22}\n", "is a date to YAML; quote it"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_with_its_name(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        config.load([path])
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_wrong_value_is_named_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("alerts:\n  memoryLeak:\n    minGrowth: abc\n")
    with pytest.raises(ConfigError) as caught:
        config.load([path])
    assert f"{path}:3: alerts.memoryLeak.minGrowth: 'abc' is not a number" == str(caught.value)
    assert ("alerts.memoryLeak.minGrowth", "abc", f"{path}:3") == (
        caught.value.setting,
        caught.value.value,
        caught.value.source,
    )


def test_overrides_know_where_the_last_word_on_a_key_was_said(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("rateInterval: 1m\nalerts:\n  cpuSpike: {for: 1m}\n")
    loaded = config.load([path], ["alerts.cpuSpike.for=2m"])
    assert (f"{path}:1", "--set") == (loaded.where("rateInterval"), loaded.where("alerts.cpuSpike.for"))


def test_the_defaults_fit_themselves() -> None:
    defaults = config.defaults()
    assert defaults == config.check(defaults, defaults)


def test_the_defaults_of_a_caller_are_its_own() -> None:
    config.defaults()["selector"] = "changed"
    assert config.defaults()["selector"] == 'job=~".+"'
