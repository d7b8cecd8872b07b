"""Applications and a server that answer with metrics, and what writes them elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from wsgiref.util import setup_testing_defaults

import prometheus_client
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runtime_exporter import metrics

PROMETHEUS = (  # what Prometheus 2.42 sends
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@pytest.fixture
def filled(library, registry):
    counter = library.Counter("orders_total", "Orders.", ["state"], registry=registry)
    counter.labels("paid").inc(3)
    library.Histogram("wait_seconds", "Wait.", registry=registry).observe(0.2)
    return registry


def read(text, accept=""):
    """The samples of an exposition as {(name, labels): value}."""
    parse = parse_openmetrics if "openmetrics" in accept else parse_text
    return {(sample.name, *sample.labels.items()): sample.value for family in parse(text) for sample in family.samples}


def ask_wsgi(application, **environ):
    setup_testing_defaults(environ)
    answer = {}

    def start_response(status, headers):
        answer.update(status=status, headers=dict(headers))

    body = b"".join(application(environ, start_response))
    return answer["status"], answer["headers"], body


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", PROMETHEUS])
def test_a_wsgi_application_answers_in_the_format_that_is_asked_for(library, filled, accept):
    status, headers, body = ask_wsgi(library.make_wsgi_app(filled), HTTP_ACCEPT=accept)
    kind = "application/openmetrics-text" if accept == PROMETHEUS else "text/plain"
    assert (status, headers["Content-Type"].partition(";")[0]) == ("200 OK", kind)
    assert read(body.decode(), kind)["orders_total", ("state", "paid")] == 3.0


def test_a_wsgi_application_compresses_for_whoever_takes_it_and_not_where_that_is_disabled(library, filled):
    status, headers, body = ask_wsgi(library.make_wsgi_app(filled), HTTP_ACCEPT_ENCODING="deflate, gzip")
    assert (status, headers["Content-Encoding"]) == ("200 OK", "gzip")
    plain = library.make_wsgi_app(filled, disable_compression=True)
    _, headers, uncompressed = ask_wsgi(plain, HTTP_ACCEPT_ENCODING="gzip")
    assert "Content-Encoding" not in headers
    assert gzip.decompress(body) == uncompressed


def test_names_in_the_query_restrict_what_is_answered(library, filled):
    application = library.make_wsgi_app(filled)
    _, _, body = ask_wsgi(application, QUERY_STRING="name[]=orders_total&name[]=wait_seconds_count")
    assert read(body.decode()) == {("orders_total", ("state", "paid")): 3.0, ("wait_seconds_count",): 1.0}
    _, _, nothing = ask_wsgi(application, QUERY_STRING="name[]=unknown")
    assert nothing == b""


@pytest.mark.parametrize(
    ("environ", "status", "allow"),
    [
        ({"REQUEST_METHOD": "OPTIONS"}, "200 OK", "OPTIONS,GET"),
        ({"REQUEST_METHOD": "POST"}, "405 Method Not Allowed", "OPTIONS,GET"),
        ({"REQUEST_METHOD": "HEAD"}, "405 Method Not Allowed", "OPTIONS,GET"),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/favicon.ico"}, "200 OK", None),
    ],
)
def test_other_requests_have_an_answer_without_metrics(library, filled, environ, status, allow):
    got, headers, body = ask_wsgi(library.make_wsgi_app(filled), **environ)
    assert (got, headers.get("Allow")) == (status, allow)
    assert b"orders" not in body


def ask_asgi(application, **scope):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    whole = {"type": "http", "method": "GET", "path": "/metrics", "query_string": b"", "headers": [], **scope}
    asyncio.run(application(whole, receive, send))
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


def test_an_asgi_application_negotiates_compresses_and_restricts(library, filled):
    status, headers, body = ask_asgi(
        library.make_asgi_app(filled),
        query_string=b"name%5B%5D=orders_total",
        headers=[(b"Accept", PROMETHEUS.encode()), (b"accept-encoding", b"gzip")],
    )
    assert (status, headers[b"Content-Encoding"]) == (200, b"gzip")
    assert headers[b"Content-Type"].startswith(b"application/openmetrics-text")
    assert read(gzip.decompress(body).decode(), "openmetrics") == {("orders_total", ("state", "paid")): 3.0}


def test_an_asgi_application_serves_nothing_but_http(library, filled):
    with pytest.raises(AssertionError):
        ask_asgi(library.make_asgi_app(filled), type="websocket")


@pytest.mark.parametrize("name", ["start_http_server", "start_wsgi_server"])
def test_a_server_answers_from_a_daemon_thread_until_it_is_shut_down(library, filled, name):
    server, thread = getattr(library, name)(0, addr="127.0.0.1", registry=filled)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", "/any/path")
        answer = connection.getresponse()
        assert (answer.status, read(answer.read().decode())["wait_seconds_count",]) == (200, 1.0)
        connection.close()
        assert thread.daemon
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    assert not thread.is_alive()


def test_a_server_of_ours_answers_with_our_writer(registry):
    class Broken:
        def collect(self):
            raise RuntimeError("no")

    metrics.Gauge("depth", "Depth.", registry=registry).set(2)
    registry.register(Broken())
    server, thread = metrics.start_http_server(0, "127.0.0.1", registry)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", "/metrics")
        assert read(connection.getresponse().read().decode()) == {("depth",): 2.0}
        connection.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_a_handler_answers_for_the_registry_that_it_was_made_for(library, filled):
    server = HTTPServer(("127.0.0.1", 0), library.MetricsHandler.factory(filled))
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", "/metrics")
        assert read(connection.getresponse().read().decode())["wait_seconds_count",] == 1.0
        connection.close()
    finally:
        thread.join(10)
        server.server_close()


def test_a_text_file_is_written_whole(library, filled, tmp_path):
    library.write_to_textfile(str(tmp_path / "batch.prom"), filled)
    assert [path.name for path in tmp_path.iterdir()] == ["batch.prom"]
    assert read((tmp_path / "batch.prom").read_text())["orders_total", ("state", "paid")] == 3.0


class Gateway(BaseHTTPRequestHandler):
    """Keeps what it is sent, as a push gateway would."""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.got.append((self.command, self.path, body))
        self.send_response(202)
        self.end_headers()

    do_POST = do_DELETE = do_PUT

    def log_message(self, *_):
        pass


def test_a_push_gateway_gets_what_the_registry_has(library, filled):
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    server.got = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    gateway = f"127.0.0.1:{server.server_port}"
    try:
        key = {"instance": "a/b"}
        library.push_to_gateway(gateway, job="batch", registry=filled, grouping_key=key)
        library.pushadd_to_gateway(gateway, job="batch", registry=filled)
        library.delete_from_gateway(gateway, job="batch")
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
    assert [(method, path) for method, path, _ in server.got] == [
        ("PUT", "/metrics/job/batch/instance@base64/YS9i"),
        ("POST", "/metrics/job/batch"),
        ("DELETE", "/metrics/job/batch"),
    ]
    assert [read(io.BytesIO(body).read().decode()).get(("wait_seconds_count",)) for _, _, body in server.got] == [
        1.0,
        1.0,
        None,
    ]


def test_every_name_that_prometheus_client_has_is_here():
    assert set() == set(prometheus_client.__all__) - set(metrics.__all__)
    assert [] == [name for name in metrics.__all__ if not hasattr(metrics, name)]
