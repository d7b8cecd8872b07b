"""The middleware under real servers, with clients that hang up, WebSockets and files that the kernel sends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from websockets.sync.client import connect

from runtime_exporter.http import ASGIMiddleware, WSGIMiddleware
from tools import free_port, wait_for


@contextlib.contextmanager
def uvicorn_serving(app):
    """A real uvicorn in a thread of this process; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="critical", ws="websockets-sansio", timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    wait_for(lambda: server.started, what="uvicorn")
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


class Quiet(WSGIRequestHandler):
    """wsgiref's handler without its log."""

    def log_message(self, *_args) -> None:
        pass


@contextlib.contextmanager
def wsgiref_serving(app):
    """A real wsgiref server in a thread; yields its port."""
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(20)


def fetch(port, path="/", method="GET", data=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, data=data)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.status, dict(response.headers), response.read()


async def endless(_request):
    async def parts():
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


async def slow(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return PlainTextResponse("nobody reads this")


async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def refuse(websocket):
    await websocket.close()


async def upload(request):
    return PlainTextResponse(str(len(await request.body())))


async def this_file(_request):
    return FileResponse(__file__)


@pytest.fixture
def port(measured):
    routes = [Route("/endless/{name}", endless), Route("/slow", slow), Route("/upload", upload, methods=["POST"])]
    routes += [Route("/file", this_file), WebSocketRoute("/echo", echo), WebSocketRoute("/refuse", refuse)]
    app = Starlette(routes=routes, middleware=[Middleware(ASGIMiddleware, metrics=measured.metrics)])
    with uvicorn_serving(app) as port:
        yield port


def test_a_client_that_hangs_up_in_the_middle_of_a_stream_is_a_499(port, measured):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /endless/secret HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert measured.active() == 1
    wait_for(lambda: measured.active() == 0, what="the end of the request")
    assert ({("GET", "/endless/{name}", "499"): 1}, {}) == (measured.requests(), measured.exceptions())


def test_a_client_that_hangs_up_before_its_answer_is_a_499_although_the_application_answers(port, measured):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: measured.active() == 1, what="the request")
    wait_for(lambda: measured.active() == 0, what="the end of the request")
    assert {("GET", "/slow", "499"): 1} == measured.requests()


def test_a_websocket_is_active_as_long_as_it_is_open(port, measured):
    with connect(f"ws://127.0.0.1:{port}/echo") as websocket:
        websocket.send("hello")
        assert websocket.recv() == "hello"
        assert measured.value("http_server_active_requests", http_request_method="GET") == 1
    wait_for(lambda: measured.active() == 0, what="the end of the connection")
    assert ({}, {}) == (measured.requests(), measured.exceptions())


def test_a_websocket_that_is_refused_is_not_active(port, measured):
    with pytest.raises(Exception, match="403"), connect(f"ws://127.0.0.1:{port}/refuse"):
        pass
    wait_for(lambda: measured.active() == 0, what="the end of the connection")
    assert {} == measured.exceptions()


def test_an_upload_in_chunks_is_counted_as_it_is_read(port, measured):
    assert fetch(port, "/upload", "POST", iter([b"x" * 100_000] * 3))[2] == b"300000"
    assert measured.sizes("request") == 300_000


def test_a_file_has_its_size_and_its_headers(port, measured):
    status, headers, content = fetch(port, "/file")
    assert (200, str(len(content))) == (status, headers["content-length"])
    wait_for(lambda: measured.requests(), what="the count")
    assert measured.sizes("response") == len(content)
    assert fetch(port, "/file", "HEAD")[2] == b""


def test_wsgiref_still_knows_the_length_of_a_body_in_one_piece(measured):
    def app(_environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    with wsgiref_serving(WSGIMiddleware(app, measured.metrics)) as port:
        status, headers, content = fetch(port)
    assert (200, "5", b"hello") == (status, headers["Content-Length"], content)
    assert {("GET", "unmatched", "200"): 1} == measured.requests()


def test_wsgiref_answers_what_an_application_raises_as_it_does_without_us(measured, capsys):
    def app(_environ, _start_response):
        raise LookupError("no such order")

    with (
        wsgiref_serving(WSGIMiddleware(app, measured.metrics)) as port,
        pytest.raises(urllib.error.HTTPError) as caught,
    ):
        fetch(port)
    caught.value.close()
    assert caught.value.code == 500
    assert "LookupError: no such order" in capsys.readouterr().err
    assert {("GET", "unmatched", "500"): 1} == measured.requests()


GUNICORN = """
from prometheus_client import CollectorRegistry
from runtime_exporter.http import HTTPMetrics, WSGIMiddleware
from runtime_exporter.metrics import generate_latest

metrics = HTTPMetrics(body_sizes=True)
registry = CollectorRegistry()
for family in metrics.families:
    registry.register(family)

def answer(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/metrics":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [generate_latest(registry)]
    if path == "/file":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "300000")])
        return environ["wsgi.file_wrapper"](open("file", "rb"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"x" * 1000 for _ in range(10))

app = WSGIMiddleware(answer, metrics, route=lambda environ: environ["PATH_INFO"])
"""


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_gunicorn_sends_a_file_and_a_stream_and_both_are_counted(tmp_path, worker):
    (tmp_path / "app.py").write_text(GUNICORN)
    (tmp_path / "file").write_bytes(b"y" * 300_000)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-k", worker, "-b", f"127.0.0.1:{port}", "app:app"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:

        def up():
            with contextlib.suppress(OSError):
                return fetch(port, "/stream")[2]

        assert wait_for(up, what="gunicorn") == b"x" * 10_000
        assert fetch(port, "/file")[2] == b"y" * 300_000
        text = fetch(port, "/metrics")[2].decode()
    finally:
        process.terminate()
        process.wait(20)
    for route, size in (("/stream", "10000.0"), ("/file", "300000.0")):
        labels = f'{{http_request_method="GET",http_route="{route}"}}'
        assert f"http_server_response_body_size_bytes_sum{labels} {size}" in text
    assert 'http_server_active_requests{http_request_method="GET"} 1.0' in text  # the request that asks
