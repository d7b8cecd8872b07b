"""`runtime-exporter flamegraph`: one file that loads nothing, tells the profile's numbers, and works in a real browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime_exporter.cli import flamegraph
from runtime_exporter.profiling.flamegraph import render, render_change
from runtime_exporter.profiling.flamegraph.tree import Node, grow
from runtime_exporter.profiling.pprof import decode, encode
from runtime_exporter.profiling.profile import Frame, build
from verbs import mistake, run

DATA = Path(__file__).resolve().parents[1] / "profiling" / "testdata"
REAL = sorted(DATA.glob("*.pb.gz"))
MS = 10**6
HOSTILE = "</script><script>document.title = 'owned'</script><!--&amp;\u2028"
MAIN, WORK, FAST = (
    Frame("app:main", "/srv/app.py", 1),
    Frame("shop.search:find", "/srv/shop/search.py", 7),
    Frame("re:match", "re.py", 3),
)
EVIL = Frame(HOSTILE, HOSTILE, 1)


def profile(*stacks):
    return build(
        "cpu",
        [(stack, values, ()) for stack, values in stacks],
        time_nanos=1_790_000_000 * 10**9,
        duration_nanos=10**10,
    )


SHOP = profile(
    ((FAST, WORK, MAIN), (6, 600 * MS)),
    ((WORK, WORK, MAIN), (2, 200 * MS)),
    ((MAIN,), (1, 100 * MS)),
    ((EVIL, MAIN), (1, 100 * MS)),
)


# --- the tree


def test_stacks_are_merged_from_the_root_on():
    tree = grow(profile(((FAST, WORK, MAIN), (1, 10)), ((WORK, MAIN), (2, 20)), ((MAIN,), (4, 40)), ((FAST,), (8, 80))))

    main, work, fast = (("app:main", "/srv/app.py"), ("shop.search:find", "/srv/shop/search.py"), ("re:match", "re.py"))
    assert (
        Node(("", ""), 0, (15, 150), (0, 0)),
        Node(main, 1, (7, 70), (4, 40)),
        Node(work, 2, (3, 30), (2, 20)),
        Node(fast, 3, (1, 10), (1, 10)),
        Node(fast, 1, (8, 80), (8, 80)),
    ) == tree.nodes


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_tree_of_a_real_profile_loses_no_value(path):
    source = decode(path.read_bytes())
    tree = grow(source)

    totals = tuple(source.total(index) for index in range(len(source.sample_types)))
    assert totals == tree.nodes[0].totals
    assert totals == tuple(sum(column) for column in zip(*(node.self_ for node in tree.nodes), strict=True))
    assert 0 == tree.left_out


def test_of_a_large_tree_the_smallest_nodes_are_left_out():
    source = profile(*[((Frame(f"app:f{number}", "app.py"), MAIN), (1, number + 1)) for number in range(1000)])

    tree = grow(source, most_nodes=100)

    assert 100 >= len(tree.nodes) > 50
    assert 1002 == len(tree.nodes) + tree.left_out
    assert "app:f999" in {node.function[0] for node in tree.nodes}
    assert "app:f0" not in {node.function[0] for node in tree.nodes}
    assert source.total(1) == tree.nodes[0].totals[1]


def test_endless_recursion_is_cut():
    deep = profile(((WORK,) * 5000, (1, 10)))

    assert 513 == len(grow(deep).nodes)


# --- the file


class Elements(HTMLParser):
    """Every element with its attributes, and the text of the scripts."""

    def __init__(self, page):
        super().__init__()
        self.found, self.scripts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.found and "script" == self.found[-1][0]:
            self.scripts.append(data)


def test_a_page_loads_nothing_and_has_no_element_of_the_profile_s():
    elements = Elements(render(SHOP, title=HOSTILE))

    assert [] == [found for found in elements.found if {"src", "href", "srcset", "onload", "onclick"} & set(found[1])]
    assert {"link", "img", "iframe", "object"}.isdisjoint(tag for tag, _ in elements.found)
    assert 2 == sum(tag == "script" for tag, _ in elements.found)
    assert HOSTILE in [name for name, _ in json.loads(elements.scripts[0])["functions"]]
    assert [] == re.findall(r"https?:", render(SHOP, title="x"))


def test_a_page_goes_to_a_file_or_to_standard_output(tmp_path):
    (tmp_path / "p.pb.gz").write_bytes(encode(SHOP))
    out = tmp_path / "out.html"

    to_file = CliRunner().invoke(
        flamegraph.command, [str(tmp_path / "p.pb.gz"), "-o", str(out)], catch_exceptions=False
    )
    to_output = run("flamegraph", "-", "--title", "p.pb.gz", "-o", "-", input=encode(SHOP), text=False)

    assert (0, "", f"wrote {out}\n") == (to_file.exit_code, to_file.stdout, to_file.stderr)
    assert (0, b"") == (to_output.returncode, to_output.stderr)
    assert out.read_bytes() == to_output.stdout
    assert ["out.html", "p.pb.gz"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "p.pb.gz").write_bytes(encode(SHOP))
    (tmp_path / "out.html").mkdir()

    code, _ = mistake("flamegraph", str(tmp_path / "p.pb.gz"), "-o", str(tmp_path / "out.html"))

    assert 1 == code
    assert ["out.html", "p.pb.gz"] == sorted(path.name for path in tmp_path.iterdir())


# --- in a browser


@pytest.fixture
def page(browser, tmp_path):
    """Opens a page of a profile, and fails if it complains or asks for anything."""
    complaints = []
    context = browser.new_context(viewport={"width": 1200, "height": 800}, color_scheme="light")

    def opened(source, *, before=None, **options):
        path = tmp_path / "page.html"
        options = {"title": "shop", **options}
        html = render_change(before, source, **options) if before else render(source, **options)
        path.write_text(html, encoding="utf-8")
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
        tab.goto(path.as_uri())
        tab.locator(".frame").first.wait_for()
        return tab

    yield opened
    context.close()
    assert [] == complaints


def names(tab):
    return [div.text_content() for div in tab.locator(".frame").all()]


def width(tab, name):
    return (
        tab.locator(".frame", has_text=name).first.bounding_box()["width"]
        / tab.locator("#chart").bounding_box()["width"]
    )


def test_frames_are_as_wide_as_their_share(page):
    tab = page(SHOP)

    assert 6 == tab.locator(".frame").count()  # with the root
    assert 0.8 == pytest.approx(width(tab, "shop.search:find"), abs=0.01)
    assert 0.6 == pytest.approx(width(tab, "re:match"), abs=0.01)
    assert "1 s cpu · 4 stacks · 2026-09-21 14:13:20 UTC · 10 s" == tab.locator("#about").text_content()


def test_nothing_of_a_profile_runs(page):
    tab = page(SHOP, title=HOSTILE)

    assert HOSTILE == tab.title()
    assert HOSTILE.replace("\u2028", "") in "".join(names(tab)).replace("\u2028", "")


def test_the_table_counts_recursion_once(page):
    rows = [row.inner_text().split("\t") for row in page(SHOP).locator("#functions tr").all()]

    assert ["600 ms 60.00 %", "600 ms 60.00 %"] == rows[0][:2]
    assert ["200 ms 20.00 %", "800 ms 80.00 %"] == rows[1][:2]
    assert rows[1][2].startswith("shop.search:find")


def test_a_click_zooms_and_escape_shows_everything_again(page):
    tab = page(SHOP)

    tab.locator(".frame", has_text="re:match").click()
    assert 1 == pytest.approx(width(tab, "re:match"), abs=0.01)
    assert ["all", "app:main", "shop.search:find", "re:match"] == names(tab)

    tab.keyboard.press("Escape")
    assert 0.6 == pytest.approx(width(tab, "re:match"), abs=0.01)


def test_the_keyboard_alone_gets_everywhere(page):
    tab = page(SHOP)
    tab.locator("#chart").focus()

    for key in ("ArrowDown", "ArrowDown"):
        tab.keyboard.press(key)
    assert tab.locator("#details").text_content().startswith("shop.search:find: 800 ms, 80.00 %; itself 0")

    tab.keyboard.press("Enter")
    assert 1 == pytest.approx(width(tab, "shop.search:find"), abs=0.01)
    tab.keyboard.press("Backspace")
    assert 0.8 == pytest.approx(width(tab, "shop.search:find"), abs=0.01)

    tab.keyboard.press("/")
    tab.keyboard.type("re:ma")
    assert ["re:match"] == [div.text_content() for div in tab.locator(".frame.match").all()]
    assert "1 s in all · 60.00 % in what matches" == tab.locator("#details").text_content()


def test_a_search_counts_what_matches_once_and_takes_what_is_no_expression_as_it_is(page):
    tab = page(SHOP)

    tab.locator("#search").fill("shop")
    assert tab.locator("#details").text_content().endswith("80.00 % in what matches")
    tab.locator("#search").fill("find(")
    assert 0 == tab.locator(".frame.match").count()
    assert "wrong" in tab.locator("#search").get_attribute("class")


def test_another_sample_type_changes_every_number(page):
    tab = page(SHOP, sample_type="samples")

    assert "10 samples" in tab.locator("#about").text_content()
    tab.locator("#type").select_option(label="cpu (nanoseconds)")
    assert tab.locator("#about").text_content().startswith("1 s cpu")


def test_dark_and_upside_down(page):
    tab = page(SHOP)
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor")

    tab.keyboard.press("t")
    assert light != tab.evaluate("getComputedStyle(document.body).backgroundColor")

    tab.keyboard.press("f")
    root, leaf = (tab.locator(".frame", has_text=name).first.bounding_box()["y"] for name in ("all", "re:match"))
    assert root > leaf


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_profile_is_drawn(page, path):
    source = decode(path.read_bytes())
    tab = page(source)

    if source.samples:
        assert tab.locator(".frame").count() > 1
    else:
        assert "Nothing was measured" in tab.locator(".empty").text_content()


def test_a_function_that_was_asked_for_is_searched_at_the_start(page):
    tab = page(SHOP, function="re:match")

    assert "^re:match$" == tab.locator("#search").input_value()
    assert ["re:match"] == [div.text_content() for div in tab.locator(".frame.match").all()]


# --- of what changed

BEFORE = profile(((FAST, WORK, MAIN), (2, 200 * MS)), ((EVIL, MAIN), (2, 200 * MS)))
AFTER = profile(((FAST, WORK, MAIN), (6, 600 * MS)), ((WORK, MAIN), (2, 200 * MS)))


COLOUR = """one => {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = getComputedStyle(one).backgroundColor;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""


def drawn(html):
    return json.loads(re.search(r'<script id="profile" type="application/json">(.*?)</script>', html, re.DOTALL)[1])


def columns(content, place):
    names = [name for name, _ in content["functions"]]
    return [
        (names[content["function"][node]], content["before"]["totals"][place][node], content["totals"][place][node])
        for node in range(len(content["depth"]))
    ]


def test_a_change_has_what_was_and_what_is_of_every_frame():
    content = drawn(render_change(BEFORE, AFTER, title="change"))
    assert [["samples", "count"], ["cpu", "nanoseconds"]] == content["types"]
    assert [
        ("", 400 * MS, 800 * MS),
        ("app:main", 400 * MS, 800 * MS),
        (HOSTILE, 200 * MS, 0),
        ("shop.search:find", 200 * MS, 800 * MS),
        ("re:match", 200 * MS, 600 * MS),
    ] == columns(content, 1)


def test_normalised_what_was_is_scaled_to_the_total_of_what_is():
    content = drawn(render_change(BEFORE, AFTER, title="change", normalised=True))
    assert [("", 800 * MS, 800 * MS), ("app:main", 800 * MS, 800 * MS), (HOSTILE, 400 * MS, 0)] == columns(content, 1)[
        :3
    ]


def test_profiles_of_other_types_are_not_drawn_as_a_change(tmp_path):
    heap, cpu = (str(DATA / name) for name in ("heap.pb.gz", "cpu.pb.gz"))
    line = "error: cannot compare a profile of alloc_objects, alloc_space, inuse_objects, inuse_space with one of samples, cpu"
    assert (1, line) == mistake("flamegraph", heap, cpu, "-o", str(tmp_path / "out.html"))
    assert [] == [*tmp_path.iterdir()]


def test_the_verb_draws_two_files_as_a_change(tmp_path):
    for name, one in (("before", BEFORE), ("after", AFTER)):
        (tmp_path / name).write_bytes(encode(one))
    ended = run("flamegraph", str(tmp_path / "before"), str(tmp_path / "after"), "-o", str(tmp_path / "out.html"))
    assert 0 == ended.returncode
    assert render_change(BEFORE, AFTER, title="before → after") == (tmp_path / "out.html").read_text()


def test_a_browser_shows_growth_in_red_loss_in_blue_and_says_both_in_words(page):
    tab = page(AFTER, before=BEFORE)
    assert "all: 400 ms before, 800 ms after, +400 ms, 0.00 pp; itself 0" == tab.locator(".root").get_attribute(
        "aria-label"
    )
    found = tab.locator('.frame[aria-label^="shop.search:find"]')
    assert "shop.search:find: 200 ms before, 800 ms after, +600 ms, +50.00 pp; itself +200 ms" == found.get_attribute(
        "aria-label"
    )
    gone = tab.locator(".frame[aria-label*='200 ms before, 0 after']")
    red, blue = (one.evaluate(COLOUR) for one in (found, gone))
    assert red[0] > red[2] + 20
    assert blue[2] > blue[0] + 20
    assert ["Self change", "Total change", "Function"] == tab.locator("th button").all_text_contents()
    first = tab.locator("#functions tr").first
    assert "re:match" in first.text_content()
    assert first.text_content().startswith("+400 ms")


def test_in_a_change_a_frame_is_as_wide_as_both_together(page):
    tab = page(AFTER, before=BEFORE)
    width = tab.locator('.frame[aria-label^="shop.search:find"]').evaluate("one => parseFloat(one.style.width)")
    assert pytest.approx(100 * 1000 / 1200, abs=0.01) == width
