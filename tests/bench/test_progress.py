"""The line that says where a long run is, and how long it will still take."""

from __future__ import annotations

import pytest
from benchmarks.progress import Place, place_of

NAMES = ["one", "two", "three"]
EXPECTED = {"one": 10.0, "two": 30.0, "three": 60.0}


def test_a_run_that_goes_at_half_the_speed_of_the_last_is_expected_to_go_on_so():
    assert Place("1 of 3, one", 0.0, 10.0, 90.0) == place_of(NAMES, EXPECTED, {})
    assert Place("2 of 3, two", 20.0, 60.0, 120.0) == place_of(NAMES, EXPECTED, {"one": 20.0})


@pytest.mark.parametrize(
    ("elapsed", "line"),
    [
        (0.0, "██░░░░░░░░░░░░░░░░░░ 3 min left · 2 of 3, two · 0:00 · round 3"),
        (65.0, "████████░░░░░░░░░░░░ 2 min left · 2 of 3, two · 1:05 · round 3"),
    ],
)
def test_the_line_has_a_bar_what_is_left_and_what_is_done_now(elapsed, line):
    assert line == Place("2 of 3, two", 20.0, 60.0, 120.0).line(elapsed, "round 3")


def test_what_takes_longer_than_it_did_leaves_what_comes_after_it():
    assert "2 min left" in Place("2 of 3, two", 20.0, 60.0, 120.0).line(500.0, "")
    assert "soon done" in Place("3 of 3, three", 20.0, 60.0, 0.0).line(500.0, "")


def test_without_a_last_time_nothing_is_guessed():
    assert "1 of 3, one · 0:07 · round 1" == place_of(NAMES, dict.fromkeys(NAMES, 0.0), {}).line(7.0, "round 1")


def test_the_process_of_a_report_knows_its_place(monkeypatch):
    place = Place("2 of 3, two", 20.0, 60.5, 120.0)
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)

    assert place == Place.of_environment("two")
    monkeypatch.delenv(*place.environment())
    assert Place("two") == Place.of_environment("two")
