"""docs/performance.md: what of it comes from the results, that it is what they give, and that its drawings can be drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from benchmarks import page, plots
from benchmarks.figures import Curve, Figure, Goal, Missing, Noise, Spread
from benchmarks.results import FULL, Result, read_all
from benchmarks.scale import logarithmic, straight
from benchmarks.sections import SECTIONS
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]


def figure(peer, theirs, *, name="ASGI, over the bare application", at=None):
    ratio = Spread(3.4 / theirs, 3.5 / theirs, 3.6 / theirs)
    return Figure(
        name, "µs", Spread(3.4, 3.5, 3.6), peer, Spread.exactly(theirs), ratio, Noise(0.99, 1.02), 21, at, "routes"
    )


BY_HAND, PACKAGED = figure("by hand", 20.0), figure("packaged | peer", 115.7)
REQUESTS = Result(
    "requests",
    "2026-11-22T14:30Z",
    False,
    75.2,
    0.25,
    {"processor": "AMD, 2 cores", "commit": "abc"},
    {"flask": "3.1.3"},
    (
        BY_HAND,
        PACKAGED,
        Goal("at most 1/4 of by hand", BY_HAND.name, "by hand", at_most=1 / 4),
        Goal("at most 1/40 of the packaged", BY_HAND.name, "packaged | peer", at_most=1 / 40),
        Missing("aioprometheus"),
        "measured without a server",
    ),
)
RESULTS = {"requests": REQUESTS, "shop": replace(REQUESTS, report="shop", items=(), versions={"django": "5.2"})}


def text_of(results):
    return page.documents(results)[page.PAGE]


def test_the_page_has_each_goal_beside_what_was_measured_and_the_noise():
    lines = text_of(RESULTS).splitlines()

    assert "Of 1 promises 0 hold, 1 do not, and 0 could not be resolved; they have 2 goals, of which 1 hold." in lines
    assert "- at most 1/40 of the packaged: 1/33.1 (1/34.0 to 1/32.1)" in lines
    assert "| at most 1/4 of by hand | 1/5.71 (1/5.88 to 1/5.56) | -1.0 to +2.0 % | 21 | HOLDS |" in lines
    assert (
        "| at most 1/40 of the packaged | 1/33.1 (1/34.0 to 1/32.1) | -1.0 to +2.0 % | 21 | **DOES NOT HOLD** |"
        in lines
    )
    assert "Not here to compare with: aioprometheus." in lines
    assert "- measured without a server" in lines


def test_the_page_says_when_where_and_with_which_versions():
    text = text_of(RESULTS)

    assert "2026-11-22 14:30 UTC, in 1 min 15 s; 0.2 processes wanted one of the cores when it began" in text
    assert 1 == text.count("| processor | AMD, 2 cores |")
    assert text.index("| django | 5.2 |") < text.index("| flask | 3.1.3 |")


def test_reports_of_different_machines_are_told_apart():
    elsewhere = replace(RESULTS["shop"], machine={"processor": "Xeon, 64 cores"})
    text = text_of({**RESULTS, "shop": elsewhere})

    assert "What a request pays:\n\n| what | which |\n| --- | --- |\n| processor | AMD, 2 cores |" in text
    assert "What a service pays as a whole:\n\n| what | which |\n| --- | --- |\n| processor | Xeon, 64 cores |" in text


def test_a_quick_run_says_of_itself_that_it_is_no_result():
    assert "a first look, no result" in text_of({"requests": replace(REQUESTS, quick=True)})
    assert "a first look, no result" not in text_of(RESULTS)


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    for table in re.findall(r"(?:^\|.*\n)+", text_of(RESULTS), re.MULTILINE):
        assert 1 == len({line.count("|") for line in table.splitlines()})


def test_every_drawing_is_shown_and_every_one_that_is_shown_is_there():
    files = page.documents(RESULTS)
    shown = {Path("docs") / name for name in re.findall(r"!\[[^]]*\]\(([^)]*)\)", files[page.PAGE])}

    assert {page.PAGE} | shown == {*files}
    assert {"performance-goals.svg", "performance-requests.svg"} == {path.name for path in shown}


def words(svg):
    """The texts of a drawing, by class; it is XML, and nothing of it is outside of its frame."""
    root = ET.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for element in root.iter():
        for name, most in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.get(name, 0)) <= most
    texts = [element for element in root.iter() if element.tag.endswith("}text")]
    return [(element.get("class"), element.text) for element in texts]


def test_dots_have_ours_among_the_peers_the_cheapest_first():
    drawn = words(plots.Dots("x", "Title", "note", ("ASGI*",)).draw([BY_HAND, PACKAGED, replace(BY_HAND, name="else")]))

    assert [
        ("title", "Title"),
        ("note", "note"),
        ("head", "ASGI, over the bare application"),
        ("ours", "runtime_exporter"),
        ("ours", "3.50 µs"),
        ("peer", "by hand"),
        ("value", "20.0 µs"),
        ("peer", "packaged | peer"),
        ("value", "116 µs"),
    ] == [(kind, text) for kind, text in drawn if kind != "note" or text == "note"]


def test_lines_have_a_name_at_the_end_of_each():
    figures = [figure(peer, 10.0 * at, at=at) for at in (1, 10, 100) for peer in ("by hand", "packaged")]
    drawn = words(plots.Lines("x", "Title", "note", ("*",)).draw(figures))

    assert {("ours", "runtime_exporter"), ("peer", "by hand"), ("peer", "packaged")} < {*drawn}
    assert ("note", "routes") in drawn


def test_a_curve_is_a_line_of_all_of_its_points():
    curve = Curve("resident memory", "MB", "simulated hours", tuple((hour, 60.0 + hour % 3) for hour in range(24)))
    svg = plots.Curves("x", "Title", "note", ("resident*",)).draw([curve])

    assert 23 == re.search(r'd="([^"]*)"', svg).group(1).count("L")
    assert ("note", "simulated hours") in words(svg)


@pytest.mark.parametrize("kind", [plots.Dots, plots.Lines, plots.Curves])
def test_nothing_is_drawn_of_nothing(kind):
    assert None is kind("x", "Title", "note", ("*",)).draw([])


def test_a_drawing_that_no_result_gives_any_more_is_taken_away_and_no_other(tmp_path):
    images = tmp_path / "docs" / "images"
    images.mkdir(parents=True)
    for name in ("performance-stale.svg", "demo.png"):
        (images / name).write_text("")
    written = page.write(RESULTS, tmp_path)

    assert {"demo.png", "performance-goals.svg", "performance-requests.svg"} == {one.name for one in images.iterdir()}
    assert page.documents(RESULTS) == {path: (tmp_path / path).read_text() for path in written}


positive = st.floats(1e-6, 1e9)


@given(st.lists(positive, min_size=1, max_size=9), st.sampled_from([logarithmic, straight]))
def test_what_is_on_an_axis_is_between_its_ends_in_its_order_and_so_are_its_ticks(values, kind):
    axis = kind(values, 100.0, 500.0)
    places = [axis(value) for value in sorted(values)]

    assert sorted(places) == places
    assert all(99.999 <= place <= 500.001 for place in [*places, *map(axis, axis.ticks())])
    assert 1 <= len(axis.ticks()) <= 20


def test_a_section_is_of_a_report_that_there_is():
    assert all((ROOT / "benchmarks" / f"{section.report}.py").exists() for section in SECTIONS)


def test_the_page_that_is_committed_is_what_the_results_give():
    """`python -m benchmarks --page` writes it anew."""
    results = read_all(FULL)
    committed = {path: (ROOT / path).read_text() for path in page.documents(results)}

    assert results
    assert page.documents(results) == committed
