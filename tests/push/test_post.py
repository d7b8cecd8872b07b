"""One POST: bounded in time whatever the server does, and said in a line that is fit for a log."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading

import pytest

from runtime_exporter.deadline import THREAD_NAME
from runtime_exporter.push.post import RefusedError, Server, UnavailableError
from tools import require


@contextlib.contextmanager
def server_that(answers, wrap=lambda connection: connection):
    """Serve one connection after the other with `answers(connection)`, and yield the port."""
    end = threading.Event()

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with plain, contextlib.suppress(OSError), wrap(plain) as connection:
                _request(connection)
                answers(connection, end)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            end.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _request(connection):
    got = b""
    while b"\r\n\r\nbody" not in got:
        got += connection.recv(65536)


def drips(begin):
    """A server that begins so, and then sends a byte now and then, for ever."""

    def answers(connection, end):
        connection.sendall(begin)
        while not end.wait(0.05):
            connection.sendall(b"x")

    return answers


def test_a_server_that_drips_is_left_in_the_end():
    with server_that(drips(b"H")) as port, pytest.raises(UnavailableError, match="no whole answer within 1 s"):
        Server(f"http://127.0.0.1:{port}", timeout=0.3).post("/x", "text/plain", b"body")


def test_the_reason_of_a_refusal_may_drip_too():
    with server_that(drips(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port, pytest.raises(RefusedError, match="says 400"):
        Server(f"http://127.0.0.1:{port}", timeout=0.3).post("/x", "text/plain", b"body")


@pytest.mark.parametrize("rest", [b"X-Drip: ", b"Content-Length: 1000\r\n\r\n"])
def test_what_was_taken_is_not_sent_again_because_the_rest_of_the_answer_is_late(rest):
    with server_that(drips(b"HTTP/1.1 200 OK\r\n" + rest)) as port:
        Server(f"http://127.0.0.1:{port}", timeout=0.3).post("/x", "text/plain", b"body")


def test_when_it_is_done_no_thread_of_it_is_left_and_before_it_is_known_as_ours():
    before, seen = set(threading.enumerate()), []

    def answers(connection, _):
        seen.extend(set(threading.enumerate()) - before)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with server_that(answers) as port:
        Server(f"http://127.0.0.1:{port}").post("/x", "text/plain", b"body")
        left = [one.name for one in set(threading.enumerate()) - before]
    assert [THREAD_NAME] == [one.name for one in seen if one.name == THREAD_NAME]
    assert THREAD_NAME not in left


def test_what_a_server_says_cannot_write_into_a_terminal():
    def answers(connection, _):
        connection.sendall(b"HTTP/1.1 400 \x1b[2Jgone\r\nContent-Length: 0\r\n\r\n")

    with server_that(answers) as port, pytest.raises(RefusedError, match=r"^the server says 400 \?\[2Jgone$"):
        Server(f"http://127.0.0.1:{port}", timeout=30).post("/x", "text/plain", b"body")


@pytest.fixture
def certificate(tmp_path):
    """A file with a key and a certificate for localhost that it has signed itself."""
    openssl = require("openssl", package="openssl")
    wanted = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    file = tmp_path / "both"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key", "-out", tmp_path / "crt"]
    subprocess.run([openssl, *wanted, *names], check=True, capture_output=True)
    file.write_bytes((tmp_path / "key").read_bytes() + (tmp_path / "crt").read_bytes())
    return file


def test_it_speaks_tls_and_trusts_only_who_is_known(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answers(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with server_that(answers, lambda plain: context.wrap_socket(plain, server_side=True)) as port:
        with pytest.raises(UnavailableError, match="certificate"):
            Server(f"https://localhost:{port}", timeout=30).post("/x", "text/plain", b"body")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        Server(f"https://localhost:{port}", timeout=30).post("/x", "text/plain", b"body")
