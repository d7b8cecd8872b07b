"""The cap on label values that an application chooses."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.metrics.bounded import LONGEST_VALUE, BoundedLabel
from tools import together


@given(values=st.lists(st.text(max_size=5)), limit=st.integers(0, 5))
def test_there_are_never_more_values_than_the_limit_and_other(values, limit):
    label = BoundedLabel(limit)
    folded = [label.fold(value) for value in values]
    assert len(set(folded) - {"other"}) <= limit
    assert label.members == set(folded) - {"other"}
    assert label.folded == sum(was != now for was, now in zip(values, folded, strict=True))


@given(values=st.lists(st.text(max_size=3)))
def test_a_member_stays_a_member(values):
    label = BoundedLabel(2)
    first = {value: label.fold(value) for value in values}
    assert first == {value: label.fold(value) for value in values} or label.folded


def test_a_hundred_thousand_values_leave_limit_members():
    label = BoundedLabel(100)
    for number in range(100_000):
        label.fold(f"/path/{number}")
    assert (len(label.members), label.folded) == (100, 99_900)


def test_a_long_value_is_cut():
    assert BoundedLabel(1).fold("x" * 10_000) == "x" * LONGEST_VALUE


def test_a_long_value_is_the_same_member_each_time():
    label = BoundedLabel(1)
    assert label.fold("y" * 300) == label.fold("y" * 300)
    assert label.folded == 0


def test_a_negative_limit_is_refused():
    with pytest.raises(ValueError, match="-1"):
        BoundedLabel(-1)


def test_threads_together_stay_within_the_limit():
    label = BoundedLabel(50)
    barrier = threading.Barrier(8)

    def work(worker):
        barrier.wait()
        for number in range(2000):
            label.fold(f"{worker}-{number}")

    together(*(partial(work, worker) for worker in range(8)))
    assert len(label.members) <= 50
