"""Pages of one process say whose they are, where several answer."""

from __future__ import annotations

from runtime_exporter.web.page import Ask, Reply, Route, html
from runtime_exporter.web.speaker import HEADER, spoken
from runtime_exporter.web.style import document


def asked(page, who, **options):
    (route,) = spoken([Route("/x", lambda _: page, subtree=True, title="X")], lambda: who, **options)
    assert (("/x", True, "X")) == (route.path, route.subtree, route.title)
    return route.page(Ask("GET"))


def test_who_answers_is_in_a_header_and_on_what_people_read():
    reply = asked(html(document("A", "<p>a</p>")), "worker 2 <process 7>")
    assert (HEADER, "worker 2 <process 7>") in reply.headers
    assert b"Answered by worker 2 &lt;process 7&gt;:" in reply.body
    assert reply.body.endswith(b"</main>\n</body>\n</html>\n")


def test_a_file_and_a_drawing_stay_as_they_are_but_for_the_header():
    for page in (Reply(b"\x1f\x8b", "application/octet-stream"), html("<svg></svg>")):
        reply = asked(page, "worker 0")
        assert (page.body, (HEADER, "worker 0")) == (reply.body, reply.headers[-1])


def test_a_page_that_is_not_about_the_process_has_the_header_only():
    page = html(document("A", "<p>a</p>"))
    reply = asked(page, "worker 0", told=False)
    assert (page.body, (HEADER, "worker 0")) == (reply.body, reply.headers[-1])


def test_a_process_that_is_alone_says_nothing():
    page = html(document("A", "<p>a</p>"))
    assert page == asked(page, "")
