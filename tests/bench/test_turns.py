"""What a middleware adds, out of turns that a shared machine disturbs: tried with a clock that is made up."""

from __future__ import annotations

import random
from statistics import median
from types import SimpleNamespace

import pytest
from benchmarks import turns


@pytest.fixture(autouse=True)
def collected(monkeypatch):
    """What is collected before a turn is counted instead: the tests' own heap takes long."""
    times = []
    monkeypatch.setattr(turns, "gc", SimpleNamespace(collect=lambda: times.append(1)))
    return times


def test_a_pair_is_a_turn_of_either_and_either_is_first_about_as_often(collected):
    taken = []

    def turn(name, seconds):
        def run():
            taken.append(name)
            return seconds

        return run

    pairs = turns.take(turn("bare", 1.0), turn("instrumented", 1.5), 100, random.Random(1))
    assert [(1.0, 1.5)] * 100 == pairs
    assert {frozenset(("bare", "instrumented"))} == {frozenset(taken[at : at + 2]) for at in range(0, 200, 2)}
    assert 35 < taken[::2].count("bare") < 65
    assert 200 == len(collected)


def test_what_all_pairs_say_is_told_as_it_is():
    assert turns.Told(2.0, 0.25) == turns.told([(2.0, 2.5)] * 7)
    assert turns.Told(2.0, -0.25) == turns.told([(2.0, 1.5)])


def test_a_machine_that_is_slow_for_a_while_changes_no_share():
    fast, slow = [(2.0, 2.5)] * 20, [(3.0, 3.75)] * 20
    assert turns.told(fast).more == turns.told(slow).more == turns.told([*slow, *fast]).more == 0.25


def drawn(added, chance, count=400):
    """Turns of which a third is interrupted, either alone or both, among others that differ by some hundredths."""

    def noise():
        return chance.gauss(0, 0.02) + (chance.expovariate(1.0) if chance.random() < 1 / 3 else 0.0)

    return [(1 + noise(), 1 + added + noise()) for _ in range(count)]


@pytest.mark.parametrize("added", [0.0, 0.02, 0.2])
def test_interrupted_turns_of_either_move_what_is_told_to_neither_side(added):
    chance = random.Random(1)
    found = [bare * more for bare, more in (turns.told(drawn(added, chance)) for _ in range(50))]
    assert added == pytest.approx(median(found), abs=0.002)
    assert all(abs(one - added) < 0.015 for one in found)


def test_pairs_chosen_by_one_of_their_turns_would_say_less_of_it():
    """Which is why they are chosen by both: the fastest of the instrumented turns are those that luck made fast."""
    chance = random.Random(1)
    pairs = drawn(0.0, chance)
    by_one = sorted(pairs, key=lambda pair: pair[1])[:100]
    assert median(other - one for one, other in by_one) < -0.01 < turns.told(pairs).more
