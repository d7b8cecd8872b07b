"""What callers tell of a rise."""

from __future__ import annotations

import pytest

from profile_windows import steady
from runtime_exporter.profiling.callers import callers, deepest, unmoved_caller
from runtime_exporter.profiling.regression import Limits, changes

BASE, NOW = 60, 15


def found(before, now):
    return changes(steady(before, BASE), steady(now, NOW), Limits())


def test_callers_are_told_nearest_first_with_their_part():
    stacks = [(("leaf", "near", "root"), 3.0), (("leaf", "other", "between", "root"), 1.0), (("near", "root"), 9.0)]
    assert callers(stacks, ["leaf"]) == {"leaf": {"near": 0.75, "other": 0.25, "root": 1.0, "between": 0.25}}
    assert list(callers(stacks, ["leaf"])["leaf"]) == ["near", "other", "between", "root"]


def test_a_function_that_calls_itself_is_counted_once_and_not_its_own_caller():
    assert callers([(("f", "g", "f", "root"), 2.0)], ["f", "g"]) == {"f": {"root": 1.0}, "g": {"f": 1.0, "root": 1.0}}


def test_a_function_that_is_on_no_stack_has_no_callers():
    assert callers([(("a",), 1.0)], ["b"]) == {"b": {}}


def test_cost_that_moved_to_another_callee_leaves_the_caller_as_it_was():
    changed = found({"main": 1, "search": 0.3, "old": 0.2}, {"main": 1, "search": 0.3, "old": 0.05, "new": 0.15})
    relation = callers([(("new", "search", "main"), 1.0)], ["new"])
    assert unmoved_caller(changed["new"], changed, relation) == "search"


def test_a_caller_near_the_whole_is_no_witness_since_it_cannot_rise():
    changed = found({"main": 1, "serve": 0.97, "f": 0.1}, {"main": 1, "serve": 0.975, "f": 0.25})
    relation = callers([(("f", "serve", "main"), 1.0)], ["f"])
    assert unmoved_caller(changed["f"], changed, relation) == ""


def test_a_caller_that_rose_with_its_callee_is_no_sign_of_a_shift():
    # `f` costs 0.1 of the former whole more: everything is divided by 1.1.
    changed = found({"search": 0.3, "f": 0.1}, {"search": 0.4 / 1.1, "f": 0.2 / 1.1})
    assert unmoved_caller(changed["f"], changed, callers([(("f", "search"), 1.0)], ["f"])) == ""


def test_a_caller_of_only_a_part_of_the_cost_is_no_witness():
    changed = found({"search": 0.3, "f": 0.1}, {"search": 0.3, "f": 0.2})
    relation = callers([(("f", "search"), 1.0), (("f", "elsewhere"), 1.0)], ["f"])
    assert unmoved_caller(changed["f"], changed, relation) == ""


def test_a_call_that_moved_under_another_caller_is_seen_by_the_caller_of_both():
    changed = found({"handle": 0.3, "a": 0.2, "b": 0.05, "f": 0.1}, {"handle": 0.3, "a": 0.08, "b": 0.18, "f": 0.14})
    relation = callers([(("f", "b", "handle"), 1.0)], ["f"])
    assert unmoved_caller(changed["f"], changed, relation) == "handle"


def test_the_deepest_function_stands_for_its_callers():
    changed = found({"root": 0.5, "mid": 0.2, "leaf": 0.1}, {"root": 0.6, "mid": 0.32, "leaf": 0.23})
    relation = callers([(("leaf", "mid", "root"), 1.0)], changed)
    assert deepest(changed, relation) == {"leaf": ("mid", "root")}


def test_a_function_that_explains_too_little_does_not_hide_its_caller():
    changed = found({"mid": 0.2, "leaf": 0.05}, {"mid": 0.4, "leaf": 0.1})
    relation = callers([(("leaf", "mid"), 1.0)], changed)
    assert deepest(changed, relation) == {"leaf": (), "mid": ()}


def test_two_callers_of_one_slow_function_are_both_explained():
    changed = found({"a": 0.1, "b": 0.1, "f": 0.1}, {"a": 0.2, "b": 0.2, "f": 0.3})
    relation = callers([(("f", "a"), 1.0), (("f", "b"), 1.0)], changed)
    assert deepest(changed, relation) == {"f": ("a", "b")}


def test_of_two_functions_that_call_each_other_one_remains():
    changed = found({"a": 0.1, "b": 0.1}, {"a": 0.3, "b": 0.29})
    relation = {"a": {"b": 1.0}, "b": {"a": 1.0}}
    assert deepest(changed, relation) == {"a": ("b",)}


@pytest.mark.parametrize("stacks", [[], [(("x",), 1.0)]])
def test_without_a_relation_every_rise_stands_for_itself(stacks):
    changed = found({"a": 0.1, "b": 0.1}, {"a": 0.3, "b": 0.3})
    assert deepest(changed, callers(stacks, changed)) == {"a": (), "b": ()}
