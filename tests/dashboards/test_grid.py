"""Where panels stand."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.mixin.dashboards import panels_of
from runtime_exporter.mixin.grid import COLUMNS, Place, Size, bottom, flow

SIZES = st.lists(st.builds(Size, st.integers(1, COLUMNS), st.integers(1, 20)), max_size=40)


def apart(first, second):
    """Whether two boxes {x, y, w, h} share no cell."""
    return (
        first["x"] + first["w"] <= second["x"]
        or second["x"] + second["w"] <= first["x"]
        or first["y"] + first["h"] <= second["y"]
        or second["y"] + second["h"] <= first["y"]
    )


def box(place):
    return {"x": place.x, "y": place.y, "w": place.size.width, "h": place.size.height}


@given(SIZES, st.integers(0, 1000))
def test_boxes_flow_without_overlap_inside_24_columns_below_the_top(sizes, top):
    places = list(flow(sizes, top))
    assert sizes == [place.size for place in places]
    assert all(place.x + place.size.width <= COLUMNS and place.y >= top for place in places)
    assert all(apart(box(first), box(second)) for first, second in combinations(places, 2))
    assert all(place.y + place.size.height <= bottom(places, top) for place in places)


def test_a_line_that_is_full_is_followed_by_one_below_its_highest_box():
    places = list(flow([Size(12, 4), Size(12, 9), Size(1, 1)], 5))
    assert [Place(0, 5, Size(12, 4)), Place(12, 5, Size(12, 9)), Place(0, 14, Size(1, 1))] == places
    assert 15 == bottom(places, 5)
    assert 7 == bottom([], 7)


def test_no_panels_of_a_dashboard_overlap(boards):
    for board in boards.values():
        shown = [
            panel for panel in board["panels"] if panel["type"] != "row" or panel["collapsed"] or not panel["panels"]
        ]
        for first, second in combinations(shown, 2):
            assert apart(first["gridPos"], second["gridPos"]), (first["title"], second["title"])
        for row in (panel for panel in board["panels"] if panel["type"] == "row"):
            for first, second in combinations(row["panels"], 2):
                assert apart(first["gridPos"], second["gridPos"]), (first["title"], second["title"])


def test_every_line_of_panels_is_filled_to_the_edge(boards):
    """A gap at the right looks like a panel that failed to load."""
    for board in boards.values():
        lines = {}
        for panel in panels_of(board):
            place = panel["gridPos"]
            lines.setdefault((place["y"], panel["gridPos"]["h"]), 0)
            lines[place["y"], place["h"]] += place["w"]
        inside = [panel for row in board["panels"] if row["type"] == "row" for panel in row["panels"]]
        open_lines = {
            line: width
            for line, width in lines.items()
            if line not in {(panel["gridPos"]["y"], panel["gridPos"]["h"]) for panel in inside}
        }
        assert {COLUMNS} == set(open_lines.values()), board["title"]


def test_only_a_collapsed_row_holds_its_panels_itself(boards):
    """Grafana shows the panels that follow an open row, and hides those that a collapsed row holds."""
    for board in boards.values():
        for row in (panel for panel in board["panels"] if panel["type"] == "row"):
            assert row["collapsed"] == bool(row["panels"])
