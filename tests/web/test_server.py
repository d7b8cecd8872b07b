"""The server answers everybody, and nobody can hold it."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

import tools
from runtime_exporter.errors import ConfigError
from runtime_exporter.web.listener import listen, listen_if_free
from runtime_exporter.web.server import Server


def hello(environ, start_response):
    body = f"hello {environ['PATH_INFO']}?{environ['QUERY_STRING']}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def place(server):
    parts = urlsplit(server.url)
    return parts.hostname, parts.port


def exchange(server, request):
    """Send bytes as they are and return all that comes back."""
    with socket.create_connection(place(server), timeout=10) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))


def ours():
    return [thread for thread in threading.enumerate() if thread.name.startswith("runtime-exporter-web")]


def test_it_answers_at_its_url_and_says_no_more_of_itself_than_its_name(serve):
    server = serve(hello)

    answer = requests.get(f"{server.url}/a%20b?x=1", timeout=10)

    assert (200, "hello /a b?x=1\n") == (answer.status_code, answer.text)
    assert ("runtime_exporter", "close") == (answer.headers["Server"], answer.headers["Connection"])


def test_head_sends_the_headers_and_no_body(serve):
    answer = exchange(serve(hello), b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 10\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_an_application_does_not_see_the_environment_of_the_process(serve, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return hello(environ, start_response)

    requests.get(serve(app).url, headers={"X-Thing": "1", "X_Thing": "spoofed"}, timeout=10)

    assert "DATABASE_PASSWORD" not in seen
    assert ("1", "127.0.0.1", "http") == (seen["HTTP_X_THING"], seen["REMOTE_ADDR"], seen["wsgi.url_scheme"])


def test_a_body_ends_where_content_length_says_and_an_unread_one_does_not_reset_the_answer(serve):
    bodies = []

    def echo(environ, start_response):
        bodies.append(environ["wsgi.input"].read())
        return hello(environ, start_response)

    assert 200 == requests.post(serve(echo).url, data=b"x" * 100_000, timeout=10).status_code
    assert [b"x" * 100_000] == bodies
    assert 200 == requests.post(serve(hello).url, data=b"x" * 60_000, timeout=10).status_code


def test_200_clients_at_once_are_all_answered_a_few_at_a_time(serve):
    counted = threading.Lock()
    at_once = [0]
    most = [0]

    def slow(environ, start_response):
        with counted:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.005)
        with counted:
            at_once[0] -= 1
        return hello(environ, start_response)

    server = serve(slow, connections_limit=8)
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda number: requests.get(f"{server.url}/{number}", timeout=60).text, range(200)))

    assert [f"hello /{number}?\n" for number in range(200)] == answers
    assert 2 <= most[0] <= 8


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"])
def test_a_client_that_stops_sending_is_let_go(serve, sent):
    def read(environ, start_response):
        environ["wsgi.input"].read()
        return hello(environ, start_response)

    server = serve(read, timeout=0.3)

    with socket.create_connection(place(server), timeout=10) as client:
        client.sendall(sent)
        client.recv(65536)  # ends: the test's own timeout is far away

    tools.wait_for(lambda: len(ours()) == 1, what="the end of the connection's thread")


def test_a_client_that_sends_a_byte_now_and_then_is_let_go_while_others_are_answered(serve):
    server = serve(hello, timeout=2.0, connections_limit=4)
    ended = threading.Event()

    def drip():
        with socket.create_connection(place(server), timeout=10) as client, contextlib.suppress(OSError):
            client.sendall(b"GET / HTTP/1.1\r\n")
            while client.send(b"X-A: b\r\n"):
                time.sleep(0.05)
        ended.set()

    threads = [threading.Thread(target=drip) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert 200 == requests.get(server.url, timeout=10).status_code
    for thread in threads:
        thread.join(30)
    assert ended.is_set()
    assert not any(thread.is_alive() for thread in threads)


def test_when_every_connection_is_held_others_wait_and_are_answered_in_the_end(serve):
    server = serve(hello, timeout=1.5, connections_limit=2)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(place(server), timeout=10))
        assert 200 == requests.get(server.url, timeout=20).status_code


def test_a_client_that_does_not_take_its_answer_is_let_go(serve):
    begun = threading.Event()

    def large(_, start_response):
        begun.set()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x" * 50_000_000]

    server = serve(large, timeout=0.3)
    with socket.create_connection(place(server), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert begun.wait(60)
        tools.wait_for(lambda: len(ours()) == 1, what="the end of the connection's thread")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET http://elsewhere/a HTTP/1.1\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"200"),
    ],
)
def test_what_is_no_request_is_answered_in_one_line_and_logged_nowhere(serve, request_, status, caplog, capfd):
    answer = exchange(serve(hello), request_)

    assert status == answer.split(b" ")[1]
    assert 1 == answer.partition(b"\r\n\r\n")[2].count(b"\n")
    assert ("", "", []) == (*capfd.readouterr(), caplog.records)


def test_clients_that_hang_up_at_any_moment_leave_nothing_behind(serve, caplog, capfd):
    server = serve(hello)
    for request in (b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        for _ in range(5):
            with socket.create_connection(place(server), timeout=10) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a farewell
                client.sendall(request)

    assert 200 == requests.get(server.url, timeout=10).status_code
    tools.wait_for(lambda: len(ours()) == 1, what="the end of the connections' threads")
    assert ("", "", []) == (*capfd.readouterr(), caplog.records)


def test_an_application_that_raises_costs_one_answer_and_is_logged_once(serve, caplog):
    def broken(environ, start_response):
        raise ZeroDivisionError("hunter2")

    server = serve(broken)
    answers = [requests.get(server.url, timeout=10) for _ in range(3)]

    assert [(500, "500 Internal Server Error\n")] * 3 == [(answer.status_code, answer.text) for answer in answers]
    assert 1 == sum("a request failed" in record.message for record in caplog.records)


def test_a_port_in_use_is_named_with_its_setting_value_and_source(serve):
    _, port = place(serve(hello))

    with pytest.raises(ConfigError) as caught:
        Server(hello, port=port, source=lambda name: f"environment {name.upper()}").start()

    message = f"port = {port} (environment PORT): in use on 127.0.0.1 already: choose another, or 0 for any free one"
    assert (message, "port", port) == (str(caught.value), caught.value.setting, caught.value.value)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("192.0.2.1", "not an address of this machine"),
        ("no.such.name.invalid", "cannot be resolved"),
        ("a" * 80, "cannot be resolved"),
    ],
)
def test_an_address_that_cannot_be_had_is_named(address, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        Server(hello, address=address).start()

    assert ("address", address) == (caught.value.setting, caught.value.value)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 in this Python")
@pytest.mark.parametrize("address", ["::1", "[::1]", "::"])
def test_it_listens_on_ipv6_and_its_url_has_brackets(serve, address):
    try:
        server = serve(hello, address=address)
    except ConfigError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")

    assert server.url.startswith("http://[::1]:")
    assert 200 == requests.get(server.url, timeout=10).status_code
    if address == "::":
        assert 200 == requests.get(f"http://127.0.0.1:{place(server)[1]}", timeout=10).status_code


def test_close_ends_every_thread_frees_the_port_and_may_be_called_again(serve):
    server = serve(hello)
    with socket.create_connection(place(server), timeout=10):
        server.close()
    server.close()

    assert [] == ours()
    assert 200 == requests.get(serve(hello, port=place(server)[1]).url, timeout=10).status_code


def test_close_lets_a_request_that_is_being_answered_finish(serve):
    begun = threading.Event()

    def slow(environ, start_response):
        begun.set()
        time.sleep(0.3)
        return hello(environ, start_response)

    server = serve(slow)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(requests.get, server.url, timeout=10)
        begun.wait(10)
        server.close()
        assert 200 == answer.result().status_code


def test_who_waits_in_the_queue_when_it_is_closed_is_answered(serve):
    begun, full = threading.Event(), threading.Event()

    def slow(environ, start_response):
        begun.set()
        full.wait(10)
        return hello(environ, start_response)

    server = serve(slow, connections_limit=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(requests.get, server.url, timeout=10)
        begun.wait(10)
        waiting = socket.create_connection(place(server), timeout=10)
        waiting.sendall(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
        full.set()
        assert 200 == first.result().status_code
        server.close()
        with waiting:
            assert b"".join(iter(lambda: waiting.recv(65536), b"")).endswith(b"hello /late?\n")


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT here")
def test_several_servers_may_listen_on_one_port_if_all_of_them_say_so(serve):
    port = tools.free_port()

    def answering(number):
        def app(_, start_response):
            start_response("200 OK", [("Content-Length", "1")])
            return [str(number).encode()]

        return serve(app, listen=lambda: listen("127.0.0.1", port, str, together=True))

    servers = [answering(number) for number in range(2)]
    answers = {requests.get(servers[0].url, timeout=10).text for _ in range(60)}
    servers[0].close()
    left = {requests.get(servers[1].url, timeout=10).text for _ in range(5)}

    assert ({"0", "1"}, {"1"}) == (answers, left)
    with pytest.raises(ConfigError, match="in use"):
        listen("127.0.0.1", port, str)


def test_a_server_whose_port_is_another_ones_takes_it_over_when_it_is_free(serve):
    first = serve(hello)
    port = place(first)[1]
    second = serve(hello, port=port, listen=lambda: listen_if_free("127.0.0.1", port, str))
    assert first.url == second.url
    assert 200 == requests.get(second.url, timeout=10).status_code

    first.close()

    def answered():
        with contextlib.suppress(requests.RequestException):
            return requests.get(second.url, timeout=10).status_code

    assert 200 == tools.wait_for(answered, what="the second server has the port")


def test_a_server_that_waits_for_its_port_can_be_closed(serve):
    first = serve(hello)
    port = place(first)[1]
    serve(hello, port=port, listen=lambda: listen_if_free("127.0.0.1", port, str)).close()
    assert 1 == len(ours())


def test_a_server_that_was_never_started_can_be_closed():
    server = Server(hello)
    server.close()
    assert "" == server.url


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_port_or_the_connections(serve):
    server = serve(hello)
    with socket.create_connection(place(server), timeout=10) as held:
        held.sendall(b"GET / HTTP/1.1\r\n")
        tools.wait_for(lambda: len(ours()) == 2, what="the connection's thread")
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"x")  # what is to be done in a child was done when fork() came back
            time.sleep(30)
            os._exit(0)
        try:
            assert b"x" == os.read(reader, 1)
            held.sendall(b"\r\n")
            received = b"".join(iter(lambda: held.recv(65536), b""))  # ends only if the child holds no copy
            assert received.endswith(b"hello /?\n")
            server.close()
            assert 200 == requests.get(serve(hello, port=place(server)[1]).url, timeout=10).status_code
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.close(reader)
            os.close(writer)


def test_a_program_that_just_ends_is_not_kept_alive():
    program = "from runtime_exporter.web.server import Server; Server(lambda e, s: []).start()"

    ended = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, timeout=30, check=False)

    assert (0, b"", b"") == (ended.returncode, ended.stdout, ended.stderr)


def test_it_looks_up_no_name_of_a_client(serve, monkeypatch):
    def refuse(*_):
        raise AssertionError("a look-up")

    server = serve(hello)
    for name in ("gethostbyaddr", "getfqdn", "getnameinfo"):
        monkeypatch.setattr(socket, name, refuse)
    connection = http.client.HTTPConnection(*place(server), timeout=10)
    connection.request("GET", "/")
    assert 200 == connection.getresponse().status
    connection.close()
