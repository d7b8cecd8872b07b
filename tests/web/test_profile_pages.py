"""/profiles, as a person sees it: over HTTP, and in a browser where it matters what is to be seen."""

from __future__ import annotations

import re
import threading
from urllib.parse import quote, urljoin

import pytest
import requests

from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.alerts import Alert
from runtime_exporter.profiling.captures import Captures, Source
from runtime_exporter.profiling.comparison import Comparison, Finding
from runtime_exporter.profiling.persistence import History
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.shelf import Shelf
from runtime_exporter.profiling.store import Store
from runtime_exporter.profiling.watch import Judgement
from runtime_exporter.web.app import application_of
from runtime_exporter.web.profile_pages import profile_routes
from tools import wait_for

NOW = 1_795_312_800  # 2026-11-22T02:00:00Z
SECOND = 10**9
HOSTILE = "<script>document.title='owned'</script>&\"'"
SEARCH, MAIN = Frame("shop.search:find", "/srv/shop/search.py", 9, 7), Frame("shop:main", "/srv/shop.py", 3, 1)
EVIL = Frame(HOSTILE, HOSTILE, 1)


def profile(begin, kind="cpu", search=1, main=1, evil=0):
    rows = [((SEARCH, MAIN), search), ((MAIN,), main), ((EVIL, MAIN), evil)]
    values = [((stack), (value, value * SECOND) * (2 if kind == "heap" else 1), ()) for stack, value in rows if value]
    return build(
        kind, values, time_nanos=begin * SECOND, duration_nanos=10 * SECOND, comments=("backend py-spy, unbiased",)
    )


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "profiles", clock=lambda: NOW + 600.0)


@pytest.fixture
def shelf(store):
    shelf = Shelf(store, labels={"version": "1.4"})
    for number in range(3):
        store.put(profile(NOW + 60 * number), "cpu", labels={"version": "1.4"})
    store.put(profile(NOW + 150, "wall"), "wall")
    shelf.put(profile(NOW + 200, search=9), "cpu", {"alert": "RuntimeCpuSpike", "fingerprint": "f00d"})
    return shelf


@pytest.fixture
def site(serve):
    """Serve the pages; return a function that gets one."""

    def make(shelf, captures=None, **options):
        url = serve(application_of(profile_routes(shelf, captures, **options))).url

        def get(path="", **query):
            return requests.get(
                urljoin(url, path if path.startswith("/") else f"/profiles{path and '/' + path}"),
                params=query,
                timeout=10,
            )

        get.url = url
        return get

    return make


def links(answer):
    return [link.replace("&amp;", "&") for link in re.findall(r'(?:href|src|action)="([^"]*)"', answer.text)]


def rows(answer):
    """The text of the cells of each row."""
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", answer.text, re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)] for row in found
    ]


def test_what_is_kept_is_listed_newest_first_with_its_alert_and_version(site, shelf):
    get = site(shelf)
    listed = [row[:6] for row in rows(get()) if row]

    assert ["CPU", "2026-11-22 02:03:20 UTC", "RuntimeCpuSpike", "10 s", "1.4", "on demand"] == listed[0]
    assert ["Wall time", "2026-11-22 02:02:30 UTC", "", "10 s", "", "interval"] == listed[1]
    assert 5 == len(listed)
    assert ["Wall time"] == [row[0] for row in rows(get(kind="wall")) if row]


def here(answer):
    """The words of the links that lead to what is shown."""
    return re.findall(r'<a [^>]*aria-current="true"[^>]*>([^<]*)</a>', answer.text)


def test_of_links_beside_each_other_the_one_to_what_is_shown_is_marked(site, shelf):
    get = site(shelf)
    (entry, *_) = shelf.entries("cpu")
    listed, some = get(), get(kind="wall")

    assert (["All"], ["Wall time"]) == (here(listed), here(some))
    assert (["cpu"], ["samples"]) == (here(get(entry.name)), here(get(entry.name, sample_type="samples")))
    assert "1 profile, the newest first." in some.text


def test_a_long_list_has_pages(site, tmp_path):
    store = Store(tmp_path / "many")
    for number in range(150):
        store.put(profile(NOW + number), "cpu")
    get = site(Shelf(store))
    first = get()

    assert 100 == len([row for row in rows(first) if row])
    (older,) = [link for link in links(first) if "skip" in link]
    last = get(older)
    assert 50 == len([row for row in rows(last) if row])
    assert "Newer" in last.text
    assert "Older" not in last.text


@pytest.mark.parametrize("path", ["", "alert/RuntimeCpuSpike", "alert/RuntimeThreadLeakSuspected", "nonsense"])
def test_every_link_of_a_page_to_profiles_leads_somewhere(site, shelf, path):
    get = site(shelf)
    seen = {link for link in links(get(path)) if link.startswith("/profiles") and not link.endswith("/diff")}

    assert 1 <= len(seen)
    assert {200} == {get(link).status_code for link in seen}


def test_a_profile_is_shown_with_its_functions_and_given_as_the_file_that_it_is(site, shelf):
    get = site(shelf)
    (entry, *_) = shelf.entries("cpu")
    page = get(quote(entry.name))

    assert "<h1>CPU profile for RuntimeCpuSpike</h1>" in page.text
    assert "backend py-spy, unbiased" in page.text
    assert ["9.00s", "90.00%", "9.00s", "90.00%", "shop.search:find /srv/shop/search.py:7"] == rows(page)[1][1:]
    file = get(quote(entry.name) + "/pprof")
    assert shelf.read(entry.name) == pprof.decode(file.content)
    assert shelf.read_bytes(entry.name) == file.content


def test_the_page_of_an_alert_is_the_newest_profile_for_it_and_shows_the_function_that_was_asked_for(site, shelf):
    page = site(shelf)("alert/RuntimeCpuSpike", function="shop:main")

    assert "2026-11-22 02:03:20 UTC" in page.text
    assert re.search(r'<tr class="chosen">(?:(?!</tr>).)*shop:main', page.text, re.DOTALL)
    assert "function=shop%3Amain" in next(link for link in links(page) if "/flamegraph" in link)
    assert "/runbooks/RuntimeCpuSpike" in links(page)
    assert "is not in this profile" not in page.text
    assert "is not in this profile" in site(shelf)("alert/RuntimeCpuSpike", function="shop:gone").text


def test_without_one_for_the_alert_the_newest_that_may_explain_it_is_shown_and_why(site, shelf):
    get = site(shelf, Captures({}, Shelf()))
    page = get("alert/RuntimeHttpLatencyHigh")

    assert "2026-11-22 02:02:30 UTC" in page.text  # of wall time
    assert "not taken for the alert: Alertmanager has not sent it here" in page.text


def test_the_reason_why_an_alert_got_none_is_said(site):
    shelf = Shelf()
    captures = Captures({}, shelf)
    captures.ask(Alert("RuntimeMemoryLeakSuspected"))
    page = site(shelf, captures)("alert/RuntimeMemoryLeakSuspected")

    assert 404 == page.status_code
    assert "no heap profile can be taken here" in page.text
    assert "/debug/pprof/profile?seconds=10" in links(page)


def test_the_last_interval_is_shown_where_nothing_is_kept_and_stays_while_it_is_looked_at(site):
    intervals = [profile(NOW), profile(NOW + 60)]
    get = site(Shelf(latest=lambda: {"cpu": intervals[0]}))
    page = get("alert/RuntimeCpuSpike")
    intervals.pop(0)

    assert 200 == page.status_code
    assert {200} == {get(link).status_code for link in links(page) if "/profiles/cpu_" in link}


def test_while_it_is_being_taken_the_page_waits_and_then_shows_it(site, tmp_path):
    going = threading.Event()
    shelf = Shelf(Store(tmp_path))

    def take(seconds):
        assert going.wait(20)
        return profile(NOW + 500)

    captures = Captures({"cpu": Source(take, 10.0)}, shelf)
    get = site(shelf, captures)
    captures.ask(Alert("RuntimeCpuSpike"))
    page = get("alert/RuntimeCpuSpike")
    assert re.search(r"being taken for this alert: (?:10|9) s left", page.text)
    assert '<meta http-equiv="refresh" content="3">' in page.text

    going.set()
    wait_for(lambda: captures.left("RuntimeCpuSpike") is None, what="the profile")
    page = get("alert/RuntimeCpuSpike")
    assert "shop.search:find" in page.text
    assert "refresh" not in page.text


def test_while_a_new_one_is_being_taken_the_last_one_is_shown(site, shelf):
    going = threading.Event()
    captures = Captures({"cpu": Source(lambda _: going.wait(20) and profile(NOW + 500), 10.0)}, shelf)
    captures.ask(Alert("RuntimeCpuSpike"))
    page = site(shelf, captures)("alert/RuntimeCpuSpike")
    going.set()
    captures.close()

    assert "A new profile is being taken for it" in page.text
    assert "shop.search:find" in page.text


def regression(**options):
    finding = Finding(
        "shop.search:find", "cpu", "rolling", "confirmed", 8.2, 0.1, 0.6, 5.0, 6.0, 0.2, NOW + 130.0, **options
    )
    return {"cpu": Judgement(Comparison("cpu", "rolling", (finding,), 0.2, 0.1, {}, History()), 10.0)}


def test_a_regression_is_shown_with_the_profile_before_it(site, shelf):
    get = site(shelf, comparisons=regression)
    page = get("alert/RuntimeProfileRegression", function="shop.search:find", profile="cpu")

    assert ["shop.search:find", "10.00%", "60.00%"] == rows(page)[1][:3]
    assert "confirmed since 2026-11-22 02:02:10 UTC, 8.2 standard errors, against rolling" in page.text
    (compare,) = [link for link in links(page) if "/diff?" in link]
    difference = get(compare)
    # What ended after the regression had begun is no "before".
    assert "before: 2026-11-22 02:02:00 UTC" in difference.text
    assert ["shop.search:find", "50.00%", "90.00%", "+40.00 points"] in rows(difference)


def test_two_profiles_are_compared_and_what_each_function_costs_itself(site, shelf):
    get = site(shelf)
    after, _, before = shelf.entries("cpu")[:3]
    query = {"before": before.name, "after": after.name}

    assert ["shop.search:find", "50.00%", "90.00%", "+40.00 points"] in rows(get("diff", **query))
    assert ["shop:main", "50.00%", "10.00%", "-40.00 points"] in rows(get("diff", column="self", **query))
    (drawn,) = [one for one in links(get("diff", **query)) if "/diff/flamegraph" in one]
    assert "shop.search:find" in get(drawn).text
    times = get("diff", before=f"{NOW}..{NOW + 100}", after=f"{NOW + 100}..{NOW + 180}", kind="cpu")
    assert "Nothing changed" in times.text


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        ("nonsense", {}, 404, "no profile &#x27;nonsense&#x27; is kept"),
        ("nonsense/flamegraph", {}, 404, "no profile"),
        ("nonsense/pprof", {}, 404, "no profile"),
        ("nonsense/more", {}, 404, "There is no such page"),
        ("a/b/c/d", {}, 404, "There is no such page"),
        ("%2e%2e%2f%2e%2e%2fetc%2fpasswd", {}, 404, "There is no such page"),
        ("alert/", {}, 404, "no profile"),
        ("alert/%00", {}, 404, "There is no such page"),
        ("diff", {}, 400, "before is needed"),
        ("diff", {"before": "1..x", "after": "1..2", "kind": "cpu"}, 400, "is no time"),
        ("diff", {"before": "x", "after": "y"}, 404, "no profile"),
    ],
)
def test_what_is_not_there_is_said_with_a_way_on(site, shelf, path, query, status, said):
    page = site(shelf)(path, **query)

    assert status == page.status_code
    assert said in page.text
    assert "/profiles" in links(page)


def test_a_profile_without_a_sample_type_says_so_instead_of_failing(site, shelf):
    (entry, *_) = shelf.entries("cpu")
    page = site(shelf)(quote(entry.name), sample_type="alloc_space")

    assert 404 == page.status_code
    assert "no sample type" in page.text


# --- in a browser


@pytest.fixture
def tab(browser):
    """A tab that fails the test where a page complains."""
    complaints = []
    context = browser.new_context(viewport={"width": 390, "height": 800})
    tab = context.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert [] == complaints


def test_the_flame_graph_in_the_page_has_found_the_function(tab, site, shelf):
    tab.goto(site(shelf).url + "/profiles/alert/RuntimeCpuSpike?function=shop.search:find")
    graph = tab.frame_locator("iframe")

    graph.locator(".frame.match").first.wait_for()
    assert ["shop.search:find"] == graph.locator(".frame.match").all_text_contents()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_two_profiles_are_chosen_and_compared(tab, site, shelf):
    tab.goto(site(shelf).url + "/profiles?kind=cpu")
    tab.locator("input[name=before]").last.check()
    tab.locator("input[name=after]").first.check()
    tab.locator("button").click()

    assert "CPU: what changed" == tab.locator("h1").text_content()
    assert "shop.search:find" == tab.locator("tbody tr td").first.text_content()
    tab.frame_locator("iframe").locator(".frame", has_text="shop.search:find").first.wait_for()


def test_on_a_phone_no_table_is_wider_than_the_screen(tab, site, shelf):
    base = site(shelf).url + "/profiles"
    shelf.put(profile(NOW + 40), "cpu", {"alert": "RuntimeProfileNewDominantFunction", "version": "2026.11.22-rc1"})
    names = [one.name for one in shelf.entries("cpu")]
    for path in ("", "?kind=cpu", f"/diff?before={quote(names[-1], safe='')}&after={quote(names[0], safe='')}"):
        tab.goto(base + path)
        widths = tab.evaluate("[...document.querySelectorAll('table')].map(t => [t.scrollWidth, t.clientWidth])")
        assert widths
        assert [] == [(path, wanted, there) for wanted, there in widths if wanted > there]
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_nothing_of_a_profile_or_of_a_label_runs(tab, site):
    shelf = Shelf(labels={"version": HOSTILE})
    entry, _ = shelf.put(profile(NOW, evil=9), "cpu", {"alert": HOSTILE})
    get = site(shelf)
    for path in ("", f"/{quote(entry.name, safe='')}?function={quote(HOSTILE)}"):
        tab.goto(f"{get.url}/profiles{path}")
        assert HOSTILE[:20] in tab.locator("body").text_content()
        assert "owned" != tab.title()
