"""/debug/pprof/, as go tool pprof, Alloy and Parca ask for it. The profiler itself is a stand-in here; tests/exporter has the real one."""

from __future__ import annotations

import sys
import threading
import time

import pytest
import requests

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import Frame, Label, build
from runtime_exporter.web.app import application_of
from runtime_exporter.web.cmdline import masked
from runtime_exporter.web.pprof_pages import Sources, pprof_routes
from runtime_exporter.web.webconfig import WebConfigFile


def of_cpu(seconds, _gone=None):
    stack = (Frame("shop:work", "/srv/shop.py", 7), Frame("shop:main", "/srv/shop.py", 30))
    ns = int(seconds * 1e9)
    return build("cpu", [(stack, (3, ns), ())], time_nanos=1, duration_nanos=ns)


def of_heap():
    return build("heap", [((Frame("shop:keep"),), (0, 0, 2, 64), ())], time_nanos=1)


@pytest.fixture
def site(serve):
    """Serve the pages; return a function that asks for one."""

    def start(*, web_config=None, **sources):
        routes = pprof_routes(Sources(**{"windows": {"profile": of_cpu}, **sources}), longest=60)
        url = serve(application_of(routes), web_config=web_config).url
        return lambda path, method="GET", **options: requests.request(
            method, url + "/debug/pprof" + path, timeout=20, **options
        )

    return start


def is_refusal(answer, status, *words):
    """Return whether an answer is one line in the form that go tool pprof shows to its user."""
    return (
        status == answer.status_code
        and "1" == answer.headers.get("X-Go-Pprof")
        and "text/plain; charset=utf-8" == answer.headers["Content-Type"]
        and "Content-Disposition" not in answer.headers
        and 1 == len(answer.text.splitlines())
        and all(word in answer.text for word in words)
    )


def test_a_profile_comes_as_go_sends_it(site):
    answer = site()("/profile?seconds=2.5")

    assert (200, "application/octet-stream", 'attachment; filename="profile"', "nosniff") == (
        answer.status_code,
        answer.headers["Content-Type"],
        answer.headers["Content-Disposition"],
        answer.headers["X-Content-Type-Options"],
    )
    assert "Content-Encoding" not in answer.headers  # it is gzipped in itself
    assert 2_500_000_000 == pprof.decode(answer.content).duration_nanos


@pytest.mark.parametrize("query", ["", "?seconds="])
def test_a_profile_lasts_30_seconds_where_nothing_else_is_asked_for(site, query):
    assert 30_000_000_000 == pprof.decode(site()("/profile" + query).content).duration_nanos


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon", "1e999"])
def test_seconds_that_are_none_are_refused(site, seconds):
    assert is_refusal(site()(f"/profile?seconds={seconds}"), 400, '"seconds"', "greater than 0")


def test_more_seconds_than_the_setting_allows_are_refused_with_its_name(site):
    ask = site()

    assert 200 == ask("/profile?seconds=60").status_code
    assert is_refusal(ask("/profile?seconds=60.5"), 400, "at most 60", "profile_seconds_limit")


def test_a_second_window_is_refused_in_gos_words_while_one_is_taken_and_served_after_it(site):
    begun, end = threading.Event(), threading.Event()

    def slow(seconds, _gone):
        begun.set()
        assert end.wait(10)
        return of_cpu(seconds)

    ask = site(windows={"profile": slow, "wall": of_cpu})
    answers = []
    first = threading.Thread(target=lambda: answers.append(ask("/profile?seconds=1")))
    first.start()
    try:
        assert begun.wait(10)
        refused = [ask("/profile?seconds=1"), ask("/wall?seconds=1")]
    finally:
        end.set()
        first.join(10)

    assert [True, True] == [is_refusal(one, 500, "cpu profiling already in use") for one in refused]
    assert [200, 200] == [answers[0].status_code, ask("/wall?seconds=1").status_code]


def test_a_profiler_that_fails_is_a_refusal_and_the_next_request_is_served(site):
    failures = [ProfileError("no permission to look")]

    def failing(seconds, _gone):
        if failures:
            raise failures.pop()
        return of_cpu(seconds)

    ask = site(windows={"profile": failing})

    assert is_refusal(ask("/profile?seconds=1"), 500, "no permission to look")
    assert 200 == ask("/profile?seconds=1").status_code


@pytest.mark.parametrize("name", ["heap", "allocs", "block", "mutex", "threadcreate", "trace", "wall"])
def test_a_kind_without_a_source_is_refused_with_the_reason_and_never_empty(site, name):
    ask = site()

    assert is_refusal(ask(f"/{name}"), 501, f"No profile {name}: ")
    assert f'<a href="/debug/pprof/{name}' not in ask("/").text


def test_a_kind_with_a_source_is_served(site):
    ask = site(instants={"allocs": of_heap})
    answer = ask("/allocs")

    assert (200, 'attachment; filename="allocs"') == (answer.status_code, answer.headers["Content-Disposition"])
    assert 64 == pprof.decode(answer.content).total(3)
    assert '<a href="/debug/pprof/allocs">' in ask("/").text
    assert is_refusal(ask("/allocs?debug=2"), 400, "no such text")


def test_what_slows_the_process_down_is_taken_only_for_who_says_for_how_long(site):
    asked, why = [], ["heap?seconds=10 is slow"]
    ask = site(
        windows={"heap": lambda seconds, _: asked.append(seconds) or of_heap()},
        instants={"heap": of_heap},
        unavailable={"heap": lambda: why[0]},
    )

    assert is_refusal(ask("/heap"), 501, "No profile heap: heap?seconds=10 is slow")
    assert [] == asked
    assert 'attachment; filename="heap-delta"' == ask("/heap?seconds=2").headers["Content-Disposition"]
    assert [2.0] == asked
    why[0] = ""
    assert 'attachment; filename="heap"' == ask("/heap").headers["Content-Disposition"]
    assert [2.0] == asked


def test_what_is_counted_since_the_start_is_served_and_so_is_its_difference_beside_another_profile(site):
    begun, end = threading.Event(), threading.Event()

    def slow(seconds, _gone):
        begun.set()
        assert end.wait(10)
        return of_cpu(seconds)

    ask = site(windows={"profile": slow}, deltas={"mutex": of_cpu}, instants={"mutex": lambda: of_cpu(7)})
    first = threading.Thread(target=ask, args=("/profile?seconds=1",))
    first.start()
    try:
        assert begun.wait(10)
        whole, difference = ask("/mutex"), ask("/mutex?seconds=2")
    finally:
        end.set()
        first.join(10)

    assert 'attachment; filename="mutex"' == whole.headers["Content-Disposition"]
    assert 'attachment; filename="mutex-delta"' == difference.headers["Content-Disposition"]
    assert [7 * 10**9, 2 * 10**9] == [pprof.decode(one.content).duration_nanos for one in (whole, difference)]
    assert ask("/mutex?debug=1").text.startswith("mutex profile: total 3\n3 @\n#\tshop:work")
    assert is_refusal(ask("/mutex?seconds=0"), 400, "greater than 0")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_that_leaves_is_noticed(serve, pki, tmp_path, scheme):
    web = tmp_path / "web.yml"
    web.write_text(f"tls_server_config:\n  cert_file: {pki}/server.pem\n  key_file: {pki}/server.key\n")
    stayed, left = [], threading.Event()

    def until_gone(seconds, gone):
        stayed.append(gone())
        if any(gone() or time.sleep(0.02) for _ in range(1000)):
            left.set()
        return of_cpu(seconds)

    routes = pprof_routes(Sources(windows={"profile": until_gone}), longest=60)
    server = serve(application_of(routes), web_config=WebConfigFile(web) if scheme == "https" else None)
    assert server.url.startswith(f"{scheme}://")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{server.url}/debug/pprof/profile?seconds=1", timeout=(20, 0.5), verify=pki / "ca.pem")
    assert left.wait(20)
    assert [False] == stayed


def test_an_unknown_profile_is_404_in_gos_words(site):
    assert is_refusal(site()("/nonsense"), 404, "Unknown profile")


def of_threads():
    run, wait = Frame("pool:run", "/p.py", 9), Frame("queue:get", "/q.py", 5)
    rows = [((run,), (1,), (Label("wait", "idle"),)), ((wait, run), (3,), ()), ((run,), (1,), ())]
    return build("goroutine", rows, time_nanos=1)


def test_threads_come_as_a_profile_or_as_one_of_gos_texts(site):
    ask = site(instants={"goroutine": of_threads}, texts={"goroutine": lambda: "each of them\n"})
    answers = [ask(f"/goroutine{query}") for query in ("", "?debug=0", "?debug=1", "?debug=2")]

    assert [5, 5] == [pprof.decode(answer.content).total(0) for answer in answers[:2]]
    assert [
        "goroutine profile: total 5\n3 @\n#\tqueue:get\t/q.py:5\n#\tpool:run\t/p.py:9\n\n2 @\n#\tpool:run\t/p.py:9\n",
        "each of them\n",
    ] == [answer.text for answer in answers[2:]]
    assert {"text/plain; charset=utf-8"} == {answer.headers["Content-Type"] for answer in answers[2:]}


def test_a_delta_of_what_has_none_is_refused_in_gos_words(site):
    assert is_refusal(
        site(instants={"goroutine": of_threads})("/goroutine?seconds=5"), 400, '"seconds" parameter is not supported'
    )


def test_the_index_names_what_there_is_and_why_the_rest_is_not(site):
    ask = site(instants={"goroutine": of_threads})
    page = ask("/").text

    assert page == ask("").text
    assert ["profile", "goroutine?debug=1", "cmdline", "symbol"] == [
        name
        for name in ("profile", "wall", "goroutine?debug=1", "heap", "cmdline", "symbol")
        if f'href="/debug/pprof/{name}"' in page
    ]
    assert "tracemalloc" in page


def test_symbol_has_none_to_offer_however_pprof_asks(site):
    ask = site()

    assert {(200, "num_symbols: 0\n")} == {
        (answer.status_code, answer.text) for answer in (ask("/symbol"), ask("/symbol", "POST", data="0x1+0x2"))
    }


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
def test_a_profile_is_taken_for_get_alone(site, method):
    answer = site(windows={"profile": lambda _: pytest.fail("it was taken")})("/profile?seconds=1", method)

    assert (405, "GET") == (answer.status_code, answer.headers["Allow"])


def test_the_command_line_comes_with_zeros_between_its_words(site):
    answer = site()("/cmdline")

    assert "text/plain; charset=utf-8" == answer.headers["Content-Type"]
    words = answer.text.split("\x00")
    assert (sys.orig_argv[0], len(sys.orig_argv)) == (words[0], len(words))


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["python", "-m", "shop", "--port", "80"], ["python", "-m", "shop", "--port", "80"]),
        (["shop", "--db-password", "hunter2", "x"], ["shop", "--db-password", "********", "x"]),
        (["shop", "--api-key=abc"], ["shop", "--api-key=********"]),
        (["env", "GITHUB_TOKEN=abc", "shop"], ["env", "GITHUB_TOKEN=********", "shop"]),
        (["shop", "--token", "--verbose"], ["shop", "--token", "--verbose"]),
        (["shop", "postgres://me:pw@db/x"], ["shop", "postgres://me:********@db/x"]),
        (["shop", "keyboard", "--monkey=1"], ["shop", "keyboard", "--monkey=1"]),
    ],
)
def test_what_sounds_secret_in_a_command_line_is_masked(arguments, shown):
    assert tuple(shown) == masked(arguments)
