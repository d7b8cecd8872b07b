"""The distance of two shapes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.profiling.divergence import jensen_shannon

WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.floats(1e-6, 1e6), min_size=1)


@given(WEIGHTS, st.floats(1e-6, 1e6))
def test_only_shares_count(weights, factor):
    assert jensen_shannon(weights, {name: value * factor for name, value in weights.items()}) == pytest.approx(
        0, abs=1e-6
    )


@given(WEIGHTS, WEIGHTS)
def test_it_is_symmetric_and_between_0_and_1(left, right):
    assert 0 <= jensen_shannon(left, right) <= 1
    assert jensen_shannon(left, right) == jensen_shannon(right, left)


@given(WEIGHTS, WEIGHTS, WEIGHTS)
def test_a_detour_is_never_shorter(one, two, three):
    assert jensen_shannon(one, three) <= jensen_shannon(one, two) + jensen_shannon(two, three) + 1e-6


def test_nothing_in_common_is_1():
    assert jensen_shannon({"a": 3}, {"b": 1, "c": 2}) == pytest.approx(1)


def test_a_known_value():
    # Half of what there is moved away: H(3/4, 1/4) - (H(1, 0) + H(1/2, 1/2))/2, in bits.
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert jensen_shannon({"a": 1}, {"a": 1, "b": 1}) == pytest.approx(math.sqrt(entropy - 0.5))


@pytest.mark.parametrize(("left", "right"), [({}, {"a": 1}), ({"a": 0}, {"a": 1}), ({}, {})])
def test_nothing_has_no_distance(left, right):
    assert math.isnan(jensen_shannon(left, right))
