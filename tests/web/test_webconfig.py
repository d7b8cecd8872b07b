"""Prometheus' own web configuration files do here what they do there, and what is wrong in them is said the same."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from urllib.parse import urlsplit

import bcrypt
import pytest
import requests

import tools
from runtime_exporter.errors import ConfigError, MissingExtraError
from runtime_exporter.web.auth import BasicAuth
from runtime_exporter.web.tls import CIPHERS
from runtime_exporter.web.webconfig import WebConfigFile, load

PAIR = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
USERS = "basic_auth_users:\n  bob: {hash}\n"


def hello(_, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]


@pytest.fixture
def write(pki, hashed, tmp_path):
    """Write a web configuration beside the certificates and return its path."""
    for file in pki.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())

    def write(content):
        path = tmp_path / "web.yml"
        path.write_text(content.replace("{hash}", hashed))
        return path

    return write


GOOD = [
    "",
    "tls_server_config:\n",
    "tls_server_config:\n  min_version: TLS13\n",
    PAIR,
    PAIR + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n",
    PAIR + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n",
    PAIR + "  client_auth_type: RequestClientCert\n",
    PAIR + '  client_auth_type: ""\n',
    PAIR + "  min_version: TLS12\n  max_version: TLS13\n",
    PAIR + "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  prefer_server_cipher_suites: false\n",
    PAIR + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  curve_preferences: [CurveP256]\n",
    "http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=1\n",
    USERS,
    "basic_auth_users:\n",
    PAIR + USERS,
]
BAD = [
    ("foo: 1\n", "{}:1: unknown key 'foo'"),
    ("tls_server_configs: {}\n", "{}:1: unknown key 'tls_server_configs'; did you mean 'tls_server_config'?"),
    (PAIR + "  cert: x\n", "{}:4: tls_server_config: unknown key 'cert'"),
    ("tls_server_config: yes\n", "{}:1: tls_server_config: a mapping is needed"),
    ("tls_server_config:\n  cert_file: server.pem\n", "{}:1: tls_server_config: key_file is missing"),
    ("tls_server_config:\n  client_auth_type: NoClientCert\n", "{}:1: tls_server_config: cert_file is missing"),
    (PAIR.replace("server.key", "no.key"), "{}:3: key_file: {dir}/no.key cannot be read: No such file or directory"),
    (PAIR.replace("server.pem", "no.pem"), "{}:2: cert_file: {dir}/no.pem cannot be read: No such file or directory"),
    (
        PAIR.replace("server.key", "other.key"),
        "{}:3: key_file: {dir}/other.key does not belong to the certificate {dir}/server.pem",
    ),
    (PAIR.replace("server.key", "server.pem"), "{}:3: key_file: {dir}/server.pem is not a PEM private key"),
    (PAIR.replace("server.key", "garbage.pem"), "{}:3: key_file: {dir}/garbage.pem is not a PEM private key"),
    (PAIR.replace("server.pem", "garbage.pem"), "{}:2: cert_file: {dir}/garbage.pem is not a PEM certificate"),
    (PAIR.replace("server.key", "encrypted.key"), "{}:3: key_file: {dir}/encrypted.key is encrypted with a passphrase"),
    (PAIR + "  client_auth_type: Require\n", "{}:4: client_auth_type = 'Require': unknown; known are NoClientCert"),
    (PAIR + "  client_ca_file: ca.pem\n", "{}:1: client_auth_type = 'NoClientCert' does not verify"),
    (
        PAIR + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: no.pem\n",
        "{}:5: client_ca_file: {dir}/no.pem cannot be read: No such file or directory",
    ),
    (PAIR + "  min_version: TLS14\n", "{}:4: min_version = 'TLS14': unknown; did you mean 'TLS1"),
    (PAIR + "  min_version: 1.2\n", "{}:4: min_version = 1.2: a text is needed"),
    (PAIR + "  cipher_suites: [TLS_NULL]\n", "{}:4: cipher_suites = 'TLS_NULL': unknown"),
    (PAIR + "  cipher_suites: TLS_AES_128_GCM_SHA256\n", "{}:4: cipher_suites: a list of texts is needed"),
    (PAIR + "  curve_preferences: [P256]\n", "{}:4: curve_preferences = 'P256': unknown; did you mean 'CurveP256'?"),
    (
        PAIR + "  prefer_server_cipher_suites: maybe\n",
        "{}:4: prefer_server_cipher_suites = 'maybe': true or false is needed",
    ),
    ("http_server_config:\n  headers:\n    X-Foo: bar\n", "{}:3: headers: unknown key 'X-Foo'"),
    (
        "http_server_config:\n  headers:\n    X-Frame-Options: never\n",
        "{}:3: headers: X-Frame-Options = 'never': one of deny, sameorigin is needed",
    ),
    ("basic_auth_users:\n  bob: hunter2\n", "{}:2: basic_auth_users: the value of 'bob' is not a bcrypt hash"),
    ("basic_auth_users:\n  bob:\n", "{}:2: basic_auth_users: the value of 'bob' is not a bcrypt hash"),
    ("tls_server_config: [\n", "{}:2:1: malformed YAML"),
]
# Where this is stricter than Prometheus, since Python's ssl cannot be told, or since what Prometheus does is never wanted.
STRICTER = [
    (
        PAIR + "  client_auth_type: RequireAnyClientCert\n",
        "Python cannot leave it unverified: use RequireAndVerifyClientCert",
    ),
    (PAIR + "  client_auth_type: RequireAndVerifyClientCert\n", "needs a client_ca_file"),
    (PAIR + "  curve_preferences: [CurveP256, X25519]\n", "Python can be told one curve only"),
    ("http_server_config:\n  headers:\n    X-XSS-Protection: ü\n", "one line of printable ASCII is needed"),
]


def promtool_accepts(path):
    promtool = tools.require("promtool", package="prometheus")
    checked = subprocess.run([promtool, "check", "web-config", path], capture_output=True, timeout=30, check=False)
    return checked.returncode == 0


@pytest.mark.parametrize("content", GOOD)
def test_what_promtool_finds_good_is_good_here(write, content):
    path = write(content)

    load(path)

    assert promtool_accepts(path)


@pytest.mark.parametrize(("content", "message"), BAD)
def test_what_promtool_finds_bad_is_refused_here_with_the_place_of_it(write, content, message):
    path = write(content)

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert str(caught.value).startswith(message.replace("{dir}", str(path.parent)).replace("{}", str(path)))
    assert 1 == len(str(caught.value).splitlines())
    assert not promtool_accepts(path)


@pytest.mark.parametrize(("content", "message"), STRICTER)
def test_what_cannot_be_followed_is_refused_and_not_ignored(write, content, message):
    path = write(content)

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert message in str(caught.value)
    assert promtool_accepts(path)


def test_a_file_that_is_not_there_is_named_with_its_source(tmp_path):
    with pytest.raises(ConfigError) as caught:
        WebConfigFile(tmp_path / "no.yml", source="environment X")

    assert f"web_config_file = '{tmp_path}/no.yml' (environment X): No such file or directory" == str(caught.value)


def test_a_password_written_in_the_place_of_its_hash_is_not_repeated(write):
    with pytest.raises(ConfigError) as caught:
        load(write("basic_auth_users:\n  bob: hunter2\n"))

    assert "hunter2" not in str(caught.value) + repr(vars(caught.value))


def test_an_encrypted_key_does_not_make_openssl_ask_at_the_terminal(write):
    path = write(PAIR.replace("server.key", "encrypted.key"))
    program = f"from runtime_exporter.web.webconfig import load; from pathlib import Path; load(Path({str(path)!r}))"

    ended = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
    )

    assert b"ConfigError" in ended.stderr
    assert b"pass phrase" not in ended.stderr


def test_every_cipher_of_the_table_is_one_that_openssl_knows():
    unknown = []
    for name in CIPHERS.values():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.set_ciphers(f"{name}:@SECLEVEL=0")
        except ssl.SSLError:
            unknown.append(name)

    assert [] == unknown


def test_https_is_served_to_who_trusts_the_authority_and_to_nobody_else(write, serve):
    path = write(PAIR)
    server = serve(hello, web_config=WebConfigFile(path))

    assert server.url.startswith("https://127.0.0.1:")
    assert "hello\n" == requests.get(server.url, verify=path.with_name("ca.pem"), timeout=10).text
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(server.url, timeout=10)


def test_a_client_that_speaks_plain_http_to_an_https_server_is_told_so(write, serve):
    server = serve(hello, web_config=WebConfigFile(write(PAIR)))

    answer = requests.get(server.url.replace("https:", "http:"), timeout=10)

    assert (400, "This is an HTTPS server.\n") == (answer.status_code, answer.text)


def test_a_client_that_never_begins_its_handshake_delays_nobody_and_is_let_go(write, serve):
    path = write(PAIR)
    server = serve(hello, web_config=WebConfigFile(path), timeout=2.0)
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as silent:
        assert 200 == requests.get(server.url, verify=path.with_name("ca.pem"), timeout=10).status_code
        assert b"" == silent.recv(1)


@pytest.mark.parametrize(("version", "minimum", "works"), [("TLSv1_2", "TLS13", False), ("TLSv1_2", "TLS12", True)])
def test_the_lowest_version_of_tls_is_kept(write, serve, version, minimum, works):
    path = write(PAIR + f"  min_version: {minimum}\n")
    parts = urlsplit(serve(hello, web_config=WebConfigFile(path)).url)
    context = ssl.create_default_context(cafile=path.with_name("ca.pem"))
    context.maximum_version = ssl.TLSVersion[version]

    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        try:
            with context.wrap_socket(client, server_hostname="localhost") as encrypted:
                spoken = encrypted.version()
        except (ssl.SSLError, OSError):
            spoken = None

    assert ("TLSv1.2" if works else None) == spoken


def test_a_client_certificate_is_demanded_and_verified(write, serve):
    path = write(PAIR + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n")
    server = serve(hello, web_config=WebConfigFile(path))
    ca = path.with_name("ca.pem")
    own = (path.with_name("client.pem"), path.with_name("client.key"))

    assert 200 == requests.get(server.url, verify=ca, cert=own, timeout=10).status_code
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(server.url, verify=ca, timeout=10)


def test_basic_authentication_lets_in_who_is_right_and_tells_nobody_else_why(write, serve):
    server = serve(hello, web_config=WebConfigFile(write(USERS)))

    answers = {
        who: requests.get(server.url, auth=auth, timeout=10)
        for who, auth in {
            "right": ("bob", "correct horse"),
            "wrong": ("bob", "battery staple"),
            "unknown": ("eve", "correct horse"),
            "empty": ("", ""),
            "absent": None,
        }.items()
    }

    refused = {(401, "401 Unauthorized\n", 'Basic realm="runtime_exporter", charset="UTF-8"')}
    assert (200, "hello\n") == (answers["right"].status_code, answers.pop("right").text)
    assert refused == {(a.status_code, a.text, a.headers["WWW-Authenticate"]) for a in answers.values()}


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !", "Basic Ym9i", "Bearer x", "Basic //79", "Basic Ym9iOgA=", "basic " + "A" * 10_000],
)
def test_a_malformed_authorization_lets_nobody_in_and_breaks_nothing(hashed, header):
    assert not BasicAuth({"bob": hashed}).allows(header)


def test_a_right_password_is_compared_once_and_a_wrong_one_each_time(hashed, monkeypatch):
    compared = []
    real = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, given: compared.append(password) or real(password, given))
    auth = BasicAuth({"bob": hashed})
    right, wrong, unknown = ("Basic Ym9iOmNvcnJlY3QgaG9yc2U=", "Basic Ym9iOndyb25n", "Basic ZXZlOndyb25n")

    assert [True] * 3 == [auth.allows(right) for _ in range(3)]
    assert [False] * 2 == [auth.allows(wrong) for _ in range(2)]
    assert [False] * 2 == [auth.allows(unknown) for _ in range(2)]

    assert [b"correct horse", b"wrong", b"wrong", b"wrong", b"wrong"] == compared


def test_no_more_than_a_hundred_credentials_are_remembered(monkeypatch, hashed):
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: True)
    users = {f"user{number}": hashed for number in range(150)}
    auth = BasicAuth(users)
    for name in users:
        assert auth.allows(requests.auth._basic_auth_str(name, "x"))

    assert 100 == len(auth._verified)


def test_without_bcrypt_users_are_refused_with_the_command_that_brings_it(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "bcrypt", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'runtime-exporter\[auth\]'"):
        load(write(USERS))


def test_headers_are_on_every_answer_also_on_a_refusal(write, serve):
    headers = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n"
    server = serve(hello, web_config=WebConfigFile(write(headers + USERS)))

    for auth, status in ((("bob", "correct horse"), 200), (None, 401)):
        answer = requests.get(server.url, auth=auth, timeout=10)
        assert (status, "deny", "nosniff") == (
            answer.status_code,
            answer.headers["X-Frame-Options"],
            answer.headers["X-Content-Type-Options"],
        )


def test_a_changed_file_is_followed_and_a_wrong_change_is_logged_once_and_not(write, serve, caplog):
    path = write("")
    server = serve(hello, web_config=WebConfigFile(path))
    assert 200 == requests.get(server.url, timeout=10).status_code

    write(USERS)
    assert 401 == requests.get(server.url, timeout=10).status_code

    write("basic_auth_usres:\n  bob: x\n")
    assert [401] * 2 == [requests.get(server.url, timeout=10).status_code for _ in range(2)]
    path.unlink()
    assert 401 == requests.get(server.url, timeout=10).status_code
    misspelled, gone = (record.message for record in caplog.records if "not reloaded" in record.message)
    assert misspelled.endswith("unknown key 'basic_auth_usres'; did you mean 'basic_auth_users'?")
    assert gone.endswith("No such file or directory")

    write("")
    assert 200 == requests.get(server.url, timeout=10).status_code


def test_a_renewed_certificate_is_served_without_a_restart(write, serve, pki):
    path = write(PAIR)
    server = serve(hello, web_config=WebConfigFile(path))
    parts = urlsplit(server.url)

    def serial():
        return ssl.get_server_certificate((parts.hostname, parts.port))

    first = serial()
    path.with_name("server.pem").write_bytes((pki / "client.pem").read_bytes())
    assert first == serial()  # half of the renewal: the key does not fit yet, so the old pair stays
    path.with_name("server.key").write_bytes((pki / "client.key").read_bytes())
    os.utime(path, (time.time(), time.time()))
    assert first != serial()
