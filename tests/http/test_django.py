"""Django, by WSGI and by ASGI: routes with includes and regular expressions, and the exceptions that Django keeps to itself."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.signals import got_request_exception
from werkzeug.test import Client

import django_app
from runtime_exporter.http import ASGIMiddleware, WSGIMiddleware
from runtime_exporter.http.django import template

EXPECTED = {
    ("GET", "/orders/<int:number>/", "200"): 2,
    ("GET", "/orders/year/<year>/", "200"): 1,
    ("GET", "/orders/broken/", "500"): 1,
    ("GET", "unmatched", "404"): 1,
}
PATHS = ("/orders/1/", "/orders/2/", "/orders/year/2026/", "/orders/broken/", "/etc/passwd")


@pytest.fixture(autouse=True)
def _with_a_file_response(monkeypatch):
    """The example's settings are this process's: nothing in them is changed for good."""
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["*"])


def test_the_example_works_by_wsgi(measured):
    app = django_app.application
    app.metrics = measured.metrics
    for path in PATHS:
        Client(app).get(path).get_data()
    assert EXPECTED == measured.requests()
    assert {("/orders/broken/", "LookupError"): 1} == measured.exceptions()
    assert measured.active() == 0


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_the_example_works_by_asgi(measured):
    app = ASGIMiddleware(get_asgi_application(), measured.metrics)

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            for path in PATHS:
                await client.get(path)

    asyncio.run(main())
    assert EXPECTED == measured.requests()
    assert {("/orders/broken/", "LookupError"): 1} == measured.exceptions()
    assert measured.active() == 0


def test_what_a_middleware_answers_by_itself_is_unmatched(measured):
    app = django_app.application
    app.metrics = measured.metrics
    response = Client(app).get("/orders/1")
    assert (response.status_code, response.get_data()) == (301, b"")
    assert {("GET", "unmatched", "301"): 1} == measured.requests()


def test_a_client_that_leaves_while_a_body_is_read_is_a_499(measured):
    app = ASGIMiddleware(get_asgi_application(), measured.metrics)

    async def receive():
        return {"type": "http.disconnect"}

    async def send(_message):
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/orders/1/", "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert ({("POST", "unmatched", "499"): 1}, 0) == (measured.requests(), measured.active())


def test_what_others_send_as_a_request_raises_nothing_into_the_application(measured, caplog):
    Client(django_app.application).get("/orders/1/")  # hooks are attached at the first request
    got_request_exception.send(sender=None, request=object())
    got_request_exception.send(sender=None)
    assert {} == measured.exceptions()
    caplog.expected_faults = 1


def test_a_handler_that_nobody_measures_works(monkeypatch):
    from django.core.wsgi import get_wsgi_application

    django_app.application  # noqa: B018 - its first request may have wrapped Django's method already
    assert Client(get_wsgi_application()).get("/orders/1/").json == {"number": 1}


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("", "/"),
        ("orders/<int:id>/", "/orders/<int:id>/"),
        ("orders/<slug:a>-<b>", "/orders/<slug:a>-<b>"),
        (r"^orders/(?P<year>[0-9]{4})/$", "/orders/<year>/"),
        (r"api/^orders/(?P<year>[0-9]{4})/(?P<rest>(a|b(c))*)$", "/api/orders/<year>/<rest>"),
        (r"^a/(\d+)/([^)]+)/\Z", "/a/<var>/<var>/"),
        (r"^page(?:/(?P<n>\d+))?/$", "/page/<n>/"),
        (r"^(?i:x)/(?=y)file\.txt$", "//file.txt".replace("//", "/")),
        (r"^broken(", "/broken<var>"),
        ("/leading", "/leading"),
    ],
)
def test_a_route_is_one_path_with_names_for_its_groups(route, expected):
    assert expected == template(route)


def test_a_response_that_has_its_content_reaches_the_server_as_it_is_and_a_stream_is_counted_at_its_end(measured):
    from django.http import HttpResponse, StreamingHttpResponse

    whole, stream = HttpResponse(b"12345"), StreamingHttpResponse(iter([b"67", b"8"]))
    answers = iter([whole, stream])

    def app(_environ, start_response):
        start_response("200 OK", [])
        return next(answers)

    app = WSGIMiddleware(app, measured.metrics)
    assert app({"REQUEST_METHOD": "GET"}, lambda *_: None) is whole
    assert ({("GET", "unmatched", "200"): 1}, 5, 0) == (
        measured.requests(),
        measured.sizes("response"),
        measured.active(),
    )
    body = app({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert measured.active() == 1
    assert [b"67", b"8"] == [*body]
    assert ({("GET", "unmatched", "200"): 2}, 8, 0) == (
        measured.requests(),
        measured.sizes("response"),
        measured.active(),
    )


def test_responses_that_have_their_content_are_counted_as_they_are_returned_whatever_their_class(make_measured):
    from django.http import HttpResponse, JsonResponse

    measured = make_measured(body_sizes=False)
    made = [type("Own", (HttpResponse,), {})(b"1"), JsonResponse({}), HttpResponse(b"2"), HttpResponse(b"3")]
    answers = iter(made)

    def app(_environ, start_response):
        start_response("200 OK", [])
        return next(answers)

    app = WSGIMiddleware(app, measured.metrics)
    for number, response in enumerate(made, 1):
        assert app({"REQUEST_METHOD": "GET"}, lambda *_: None) is response
        assert ({("GET", "unmatched", "200"): number}, 0) == (measured.requests(), measured.active())
