"""Asking a service that may be slow, huge, elsewhere, or not a service at all."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import subprocess
import threading
import time

import pytest

from runtime_exporter.agent.go.address import Address, address
from runtime_exporter.agent.go.client import Client
from runtime_exporter.errors import ProfileError
from stub_service import says, serving
from tools import free_port, require


def get(where, path="/", query=(), client=None, **options):
    return (client or Client(patience=5)).get(where, path, dict(query), **options)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:6060", Address("http", "127.0.0.1", 6060)),
        ("localhost:6060", Address("http", "localhost", 6060)),
        ("https://api/", Address("https", "api", 443)),
        ("http://api/v1/debug/pprof/", Address("http", "api", 80, "/v1")),
        ("http://api/debug/pprof/heap?debug=1", Address("http", "api", 80)),
        ("http://[::1]:6060", Address("http", "::1", 6060)),
    ],
)
def test_an_address_is_read_from_any_url_of_the_service(url, expected):
    assert expected == address(url)
    assert expected == address(str(address(url)))


@pytest.mark.parametrize("url", ["", "ftp://api", "http://", "http://api:port", "http://[::1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ProfileError, match="address"):
        address(url)


def test_the_body_comes_with_its_status_and_the_query_gets_there():
    with serving(says(b"here")) as (where, asked):
        answer = get(where, "/debug/pprof/heap", {"seconds": "2"})

    assert (200, b"here", True) == (answer.status, answer.body, answer.ok)
    assert "/debug/pprof/heap?seconds=2" == asked[0][0]
    assert "identity" == asked[0][1]["Accept-Encoding"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"Could not enable CPU profiling: in use\n", "500 Could not enable CPU profiling: in use"),
        (b"<html>a page</html>", "500 Internal Server Error"),
        (b"\x00\x01", "500 Internal Server Error"),
        (b"", "500 Internal Server Error"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_service_where_they_are_words(body, words):
    with serving(says(body, 500)) as (where, _):
        answer = get(where)

    assert (False, words) == (answer.ok, answer.words)


def test_a_new_password_is_used_at_the_next_request():
    passwords = iter(["Bearer first", "Bearer second"])
    with serving(says(b"")) as (where, asked):
        client = Client(authorization=lambda: next(passwords))
        get(where, client=client)
        get(where, client=client)

    assert ["Bearer first", "Bearer second"] == [headers["Authorization"] for _, headers in asked]


def test_an_answer_that_a_proxy_compressed_is_read():
    with serving(says(gzip.compress(b"profile"), Content_Encoding="gzip")) as (where, _):
        assert b"profile" == get(where).body


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_that_is_too_large_is_refused_while_it_comes(compressed):
    body = bytes(1 << 20)
    answer = says(gzip.compress(body), Content_Encoding="gzip") if compressed else says(body)
    with serving(answer) as (where, _):
        assert len(body) == len(get(where, limit=1 << 20).body)
        with pytest.raises(ProfileError, match="answers with more than 1048575 bytes"):
            get(where, limit=(1 << 20) - 1)


def test_an_encoding_that_was_not_asked_for_is_refused():
    with serving(says(b"?", Content_Encoding="br")) as (where, _), pytest.raises(ProfileError, match="answers in br"):
        get(where)


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}])
def test_an_answer_that_is_cut_off_is_not_taken_for_a_whole_one(headers):
    def cut(handler):
        says(gzip.compress(b"profile")[:-4], **headers)(handler)

    def short(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"profile")
        handler.close_connection = True

    with serving(cut if headers else short) as (where, _), pytest.raises(ProfileError, match="cut off"):
        get(where)


def drip(handler):
    """Send a byte every now and then, which no timeout of a socket notices."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):  # until the client has gone
        for _ in range(400):
            handler.wfile.write(b".")
            time.sleep(0.05)
    handler.close_connection = True


def test_who_sends_a_byte_now_and_then_is_too_slow_in_the_end():
    with serving(drip) as (where, _), pytest.raises(ProfileError, match="no whole answer within 1 s"):
        get(where, client=Client(patience=0.5), seconds=0.5)


def test_the_time_that_the_service_works_is_added_to_the_patience():
    given_up = threading.Event()

    def works(handler):
        if handler.path == "/never":
            given_up.wait(60)
        time.sleep(0.6)
        with contextlib.suppress(OSError):  # whose client has gone
            says(b"done")(handler)

    with serving(works) as (where, _):
        assert b"done" == get(where, client=Client(patience=0.3), seconds=60).body
        with pytest.raises(ProfileError, match="no whole answer within"):
            get(where, "/never", client=Client(patience=0.3))
        given_up.set()


def test_closing_ends_what_is_under_way():
    client = Client(patience=60)
    began = threading.Event()
    failed = []

    def waits(handler):
        began.set()
        drip(handler)

    def ask(where):
        try:
            get(where, client=client)
        except ProfileError as error:
            failed.append(str(error))

    with serving(waits) as (where, _):
        thread = threading.Thread(target=ask, args=(where,))
        thread.start()
        assert began.wait(10)
        client.close()
        client.close()
        thread.join(10)
        assert not thread.is_alive()
        with pytest.raises(ProfileError, match="closed"):
            get(where, client=client)
    assert [f"{where}/: closed"] == failed


def test_nobody_there_is_said_in_a_line():
    port = free_port()
    with pytest.raises(ProfileError, match=f"^http://127.0.0.1:{port}/x: Connection refused$"):
        get(Address("http", "127.0.0.1", port), "/x")


def test_what_speaks_no_http_is_said_in_a_line():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ProfileError, match=r"SSH-2\.0-OpenSSH") as caught:
            get(Address("http", "127.0.0.1", server.getsockname()[1]))
        thread.join()
    assert 1 == len(str(caught.value).splitlines())


def redirects(location):
    def answer(handler):
        if handler.path.startswith("/new"):
            says(b"moved here")(handler)
        else:
            says(b"", 302, Location=location)(handler)

    return answer


@pytest.mark.parametrize(("location", "path"), [("/new", "/new"), ("new/?a=1", "/debug/new/?a=1")])
def test_a_redirect_on_the_same_service_is_followed(location, path):
    def answer(handler):
        says(b"moved here" if "new" in handler.path else b"", 200 if "new" in handler.path else 301, Location=location)(
            handler
        )

    with serving(answer) as (where, asked):
        assert b"moved here" == get(where, "/debug/pprof").body
    assert path == asked[1][0]


def test_a_password_is_not_shown_to_where_a_redirect_leads():
    with serving(says(b"mine now")) as (thief, stolen):
        with (
            serving(redirects(f"{thief}/new")) as (where, _),
            pytest.raises(ProfileError, match=f"redirects to {thief}: if that is the service, name it"),
        ):
            get(where, client=Client(authorization=lambda: "Bearer secret"))
        assert [] == stolen


def test_redirects_in_a_circle_end():
    with serving(redirects("/again")) as (where, asked), pytest.raises(ProfileError, match="more than 3 redirects"):
        get(where)
    assert 4 == len(asked)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    openssl = require("openssl", package="openssl")
    wanted = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=shop",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run([openssl, *wanted, "-keyout", path, "-out", path.with_name("crt")], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_name("crt").read_text())
    return path


def test_tls_is_for_whoever_trusts_the_authority(certificate):
    with serving(says(b"secret"), certificate=certificate) as (where, _):
        with pytest.raises(ProfileError, match=r"its certificate is not trusted: self.signed certificate"):
            get(where)
        trusting = Client(context=ssl.create_default_context(cafile=certificate), patience=5)
        assert b"secret" == get(where, client=trusting).body


def test_a_redirect_from_http_to_the_tls_of_the_same_host_is_followed(certificate):
    with (
        serving(says(b"secret"), certificate=certificate) as (there, asked),
        serving(redirects(f"{there}/new")) as (where, _),
    ):
        trusting = Client(
            context=ssl.create_default_context(cafile=certificate), authorization=lambda: "Bearer mine", patience=5
        )
        assert b"secret" == get(where, client=trusting).body
    assert "Bearer mine" == asked[0][1]["Authorization"]
