"""Votes: what is confirmed, what ends, what was only a moment."""

from __future__ import annotations

import pytest

from profile_windows import MINUTE, steady
from runtime_exporter.profiling.persistence import History, advance
from runtime_exporter.profiling.regression import Limits, changes, exceeding

LIMITS = Limits()
BASE = steady({"f": 0.1, "g": 0.2}, 60)
BLOCK = 5 * MINUTE
SHARES = {"+": 0.2, "0": 0.16, "-": 0.1}


def vote(history, share, place, name="base"):
    now = steady({"f": share, "g": 0.2}, 5, begin=1e6 + place * BLOCK)
    found = changes(BASE, now, LIMITS)
    return advance(history, now, found, exceeding(found, LIMITS), LIMITS, baseline=name)


def phases(pattern):
    """The phase after each vote; `0` is a rise that is left over, too small to be voted for."""
    history, seen = History(), []
    limits = LIMITS
    for place, mark in enumerate(pattern):
        now = steady({"f": SHARES[mark], "g": 0.2}, 5, begin=1e6 + place * BLOCK)
        rising = {"f"} if mark == "+" else set()
        history = advance(history, now, changes(BASE, now, limits), rising, limits, baseline="base")
        seen.append(history.tracks["f"].phase[0] if "f" in history.tracks else ".")
    return "".join(seen)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ("-----", "....."),
        ("+++++", "ttccc"),
        ("+-+-+", "ttttc"),
        ("++---", "ttttt"),
        ("++----", "ttttt" + "t"),
        ("+-----", "ttttt."),
        ("+--+--+", "ttttttt"),
        ("+++---", "ttcccg"),
        ("+++-----", "ttcccgg."),
        ("+++000000", "ttccccccc"),
        ("+++0-0-0-", "ttccccccg"),
        ("+++--+", "ttcccc"),
        ("+++---+++", "ttcccgggc"),
    ],
)
def test_three_of_five_votes_confirm_and_three_without_a_rise_end_it(votes, expected):
    assert expected == phases(votes)


def test_a_real_rise_is_confirmed_by_its_third_vote():
    history = History()
    for place in range(3):
        assert all(track.phase == "transient" for track in history.tracks.values())
        history = vote(history, 0.2, place)
    assert {"f": "confirmed"} == {name: track.phase for name, track in history.tracks.items()}
    assert history.since == 1e6


def test_windows_that_overlap_vote_once():
    history = vote(History(), 0.2, 0)
    for place in (0, 0.2, 0.4, 0.8):
        assert vote(history, 0.2, place) is history
    assert vote(history, 0.2, 1).tracks["f"].marks == (1, 1)


def test_a_window_without_samples_does_not_vote():
    history = vote(History(), 0.2, 0)
    now = steady({}, 5, begin=1e6 + BLOCK, n=0)
    assert advance(history, now, {}, set(), LIMITS, baseline="base") is history


def test_another_baseline_begins_a_new_vote():
    history = vote(vote(History(), 0.2, 0), 0.2, 1)
    assert vote(history, 0.2, 2, name="other").tracks["f"].marks == (1,)


def test_what_was_never_seen_has_no_track_and_no_beginning():
    history = vote(History(), 0.1, 0)
    assert dict(history.tracks) == {}
    assert history.since is None


def test_a_function_that_vanished_has_ended():
    history = History()
    for place in range(3):
        history = vote(history, 0.2, place)
    for place in range(3, 6):
        now = steady({"g": 0.2}, 5, begin=1e6 + place * BLOCK)
        history = advance(history, now, changes(BASE, now, LIMITS, history.tracks), set(), LIMITS, baseline="base")
    assert history.tracks["f"].phase == "gone"
    assert history.since is None


def test_a_history_is_not_changed_by_a_vote():
    history = vote(History(), 0.2, 0)
    marks = history.tracks["f"].marks
    vote(history, 0.2, 1)
    assert marks == history.tracks["f"].marks


def test_a_rise_began_with_the_first_vote_that_counts_for_it():
    history = History()
    for place, share in enumerate((0.2, 0.1, 0.1, 0.2, 0.1, 0.2, 0.2)):
        history = vote(history, share, place)
    assert ("confirmed", 1e6 + 3 * BLOCK) == (history.tracks["f"].phase, history.tracks["f"].since)
