"""Flask: rules with blueprints and mounts, and the exceptions that Flask keeps to itself."""

from __future__ import annotations

from wsgiref.util import setup_testing_defaults

import pytest
from flask import Blueprint, Flask, Response, abort, got_request_exception, stream_with_context
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client
from werkzeug.wsgi import ClosingIterator

import flask_app
from runtime_exporter.http import WSGIMiddleware

pytestmark = pytest.mark.usefixtures("wsgi_way")


@pytest.fixture
def app(measured):
    app = Flask("shop")
    app.wsgi_app = WSGIMiddleware(app.wsgi_app, measured.metrics)
    return app


def get(app, path, **options) -> int:
    """The status of an answer that was read to its end."""
    response = app.test_client().open(path, **options) if isinstance(app, Flask) else Client(app).open(path, **options)
    response.get_data()
    return response.status_code


def test_the_route_is_the_rule_with_the_prefixes_of_its_blueprints(app, measured):
    inner, outer = Blueprint("inner", __name__), Blueprint("outer", __name__)
    inner.add_url_rule("/<int:number>", "one", lambda number: str(number))
    outer.register_blueprint(inner, url_prefix="/orders")
    app.register_blueprint(outer, url_prefix="/v1")
    app.register_blueprint(outer, url_prefix="/v2", name="second")
    assert [200, 200, 200] == [get(app, path) for path in ("/v1/orders/1", "/v1/orders/2", "/v2/orders/3")]
    assert {
        ("GET", "/v1/orders/<int:number>", "200"): 2,
        ("GET", "/v2/orders/<int:number>", "200"): 1,
    } == measured.requests()


def test_what_no_rule_matches_is_unmatched_and_what_a_view_refuses_has_its_route(app, measured):
    app.add_url_rule("/orders/<int:number>", "order", lambda number: abort(404))
    app.add_url_rule("/slash/", "slash", lambda: "")
    assert [404, 404, 405, 308] == [
        get(app, "/etc/passwd"),
        get(app, "/orders/7"),
        get(app, "/orders/7", method="DELETE"),
        get(app, "/slash"),
    ]
    assert {
        ("GET", "unmatched", "404"): 1,
        ("GET", "/orders/<int:number>", "404"): 1,
        ("DELETE", "unmatched", "405"): 1,
        ("GET", "unmatched", "308"): 1,
    } == measured.requests()


def test_an_exception_that_flask_makes_a_500_of_is_counted_with_its_route_and_type(app, measured):
    app.add_url_rule("/broken/<int:n>", "broken", lambda n: 1 // 0)
    assert get(app, "/broken/1") == 500
    assert {("GET", "/broken/<int:n>", "500"): 1} == measured.requests()
    assert {("/broken/<int:n>", "ZeroDivisionError"): 1} == measured.exceptions()


def test_an_exception_that_flask_raises_on_is_counted_once_with_its_route(app, measured):
    app.testing = True
    app.add_url_rule("/broken/<int:n>", "broken", lambda n: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        get(app, "/broken/1")
    assert {("GET", "/broken/<int:n>", "500"): 1} == measured.requests()
    assert {("/broken/<int:n>", "ZeroDivisionError"): 1} == measured.exceptions()


def test_an_exception_that_the_application_handles_is_none(app, measured):
    app.register_error_handler(ZeroDivisionError, lambda _: ("sorry", 503))
    app.add_url_rule("/broken", "broken", lambda: 1 // 0)
    assert get(app, "/broken") == 503
    assert ({("GET", "/broken", "503"): 1}, {}) == (measured.requests(), measured.exceptions())


def test_an_exception_that_the_application_announces_outside_a_request_is_its_own_affair(app, measured):
    get(app, "/")
    got_request_exception.send(app, exception=KeyError("a job in the background"))
    assert {} == measured.exceptions()


def test_a_stream_is_counted_at_its_end_with_its_route(app, measured):
    def view():
        def lines():
            measured.clock.sleep(3)
            yield b"a"

        return stream_with_context(lines())

    app.add_url_rule("/stream/<name>", "stream", lambda name: view())
    assert get(app, "/stream/x") == 200
    assert ({("GET", "/stream/<name>", "200"): 1}, 3) == (measured.requests(), measured.seconds())


@pytest.mark.parametrize("wrap", [lambda app: app, lambda app: WSGIMiddleware(app)])
def test_the_prefix_of_a_dispatcher_belongs_to_the_route(measured, wrap):
    def make(name):
        app = Flask(name)
        app.add_url_rule("/users/<name>", "user", lambda name: name)
        return app

    app = wrap(DispatcherMiddleware(make("main"), {"/admin": make("admin"), "/admin/deep": make("deep")}))
    app = WSGIMiddleware(app, measured.metrics)
    for path in ("/users/a", "/admin/users/b", "/admin/deep/users/c"):
        assert get(app, path, base_url="http://localhost/root") == 200
    routes = {route for _, route, _ in measured.requests()}
    assert {"/users/<name>", "/admin/users/<name>", "/admin/deep/users/<name>"} == routes


def test_a_script_name_that_a_client_may_choose_is_no_label(app, measured):
    app.add_url_rule("/users/<name>", "user", lambda name: name)
    assert get(app, "/users/a", base_url="http://localhost/secret") == 200
    assert {("GET", "/users/<name>", "200"): 1} == measured.requests()


def test_an_upload_is_counted_as_flask_reads_it(app, measured):
    from flask import request

    app.add_url_rule("/upload", "upload", lambda: str(len(request.get_data())), methods=["POST"])
    assert get(app, "/upload", method="POST", data=b"x" * 1000) == 200
    assert (measured.sizes("request"), measured.sizes("response")) == (1000, 4)


def test_100_000_paths_are_one_series_a_route(make_measured):
    measured = make_measured(body_sizes=False)
    app = Flask("shop")
    app.add_url_rule("/orders/<int:number>", "order", lambda number: "x")
    app.wsgi_app = WSGIMiddleware(app.wsgi_app, measured.metrics)
    environ = {}
    setup_testing_defaults(environ)
    for number in range(1000):
        for path in (f"/orders/{number}", f"/nowhere/{number}"):
            b"".join(app({**environ, "PATH_INFO": path}, lambda *_: None))
    assert {
        ("GET", "/orders/<int:number>", "200"): 1000,
        ("GET", "unmatched", "404"): 1000,
    } == measured.requests()


def test_the_example_works(measured):
    app = flask_app.app
    app.wsgi_app.metrics = measured.metrics
    assert [200, 200, 500] == [get(app, path) for path in ("/orders/1", "/orders/export", "/orders/broken")]
    assert {
        ("GET", "/orders/<int:number>", "200"): 1,
        ("GET", "/orders/export", "200"): 1,
        ("GET", "/orders/broken", "500"): 1,
    } == measured.requests()
    assert {("/orders/broken", "LookupError"): 1} == measured.exceptions()


@pytest.fixture
def unsized(make_measured):
    """A Flask application whose bodies are not measured, what it shows, and a way to its answer as the server gets it."""
    measured = make_measured(body_sizes=False)
    app = Flask("shop")
    app.wsgi_app = WSGIMiddleware(app.wsgi_app, measured.metrics)

    def ask(method="GET", path="/"):
        request = {"REQUEST_METHOD": method, "PATH_INFO": path}
        setup_testing_defaults(request)
        return app(request, lambda *_: None)

    return app, measured, ask


@pytest.mark.parametrize("text", ["whole", ""])
def test_a_response_that_has_its_parts_ends_as_it_is_returned_and_reaches_the_server_as_it_is(unsized, text):
    app, measured, ask = unsized
    closed = []

    def view():
        response = app.make_response(text)
        response.call_on_close(lambda: closed.append("response"))
        measured.clock.sleep(0.001)
        return response

    app.add_url_rule("/", "view", view)
    for number in range(1, 4):  # the first makes the series, which the others find
        body = ask()
        assert type(body) is ClosingIterator
        assert ({("GET", "/", "200"): number}, 0) == (measured.requests(), measured.active())
        assert b"".join(body) == text.encode()
        body.close()
        assert closed == ["response"] * number
    assert measured.seconds() == pytest.approx(0.003)


def test_a_response_that_makes_its_parts_late_is_counted_as_they_end_however_it_does_so(unsized):
    app, measured, ask = unsized

    class Late(Response):
        automatically_set_content_length = False

        def iter_encoded(self):
            yield from super().iter_encoded()
            measured.clock.sleep(2)

    class Other(Response):
        def get_app_iter(self, environ):
            return ClosingIterator(map(bytes, self.iter_encoded()), self.close)

    def parts():
        measured.clock.sleep(2)
        yield b"x"

    app.add_url_rule("/late", "late", lambda: Late(["x"]))
    app.add_url_rule("/other", "other", lambda: Other(["x"]))
    app.add_url_rule("/stream", "stream", lambda: Response(parts()))
    for path in ("/late", "/other", "/stream"):
        body = ask(path=path)
        assert measured.active() == 1
        assert [*body] == [b"x"]
        body.close()
        assert ({("GET", path, "200"): 1}, 0) == (
            {key: count for key, count in measured.requests().items() if key[1] == path},
            measured.active(),
        )
    assert measured.seconds() == 4


def test_an_answer_without_a_body_is_counted_once(unsized):
    app, measured, ask = unsized
    app.add_url_rule("/", "view", lambda: "not sent for HEAD")
    for _ in range(2):
        body = ask("HEAD")
        assert [*body] == []
        body.close()
    assert ({("HEAD", "/", "200"): 2}, 0) == (measured.requests(), measured.active())
