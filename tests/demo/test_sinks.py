"""The sinks keep exactly what a client sent, and leave nothing behind."""

from __future__ import annotations

import smtplib
import socket
import threading
from email.message import EmailMessage

import pytest
import requests

from runtime_exporter.demo.sinks import MAX_BODY_BYTES, HTTPSink, MailSink


def letter(subject: str = "Grüße 🚀") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "alerts@example.org", "ops@example.org", subject
    message.set_content("Plain ünïcode\n")
    message.add_alternative("<p>rich &amp; bold</p>\n", subtype="html")
    return message


def send(sink: MailSink, *, password: str = "") -> None:
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=30) as client:
        if password:
            client.login("alerts", password)
        client.send_message(letter())


def test_a_mail_is_kept_with_its_parts_and_envelope() -> None:
    with MailSink() as sink:
        send(sink)
        (mail,) = sink.messages
    assert mail.subject == "Grüße 🚀"
    assert (mail.text, mail.html) == ("Plain ünïcode\n", "<p>rich &amp; bold</p>\n")
    assert (mail.sender, mail.recipients, mail.login) == ("alerts@example.org", ("ops@example.org",), "")


def test_a_sink_with_a_password_takes_only_who_knows_it() -> None:
    with MailSink(password="right") as sink:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            send(sink, password="wrong")
        with pytest.raises(smtplib.SMTPDataError):
            send(sink)
        send(sink, password="right")
        assert [mail.login for mail in sink.messages] == ["alerts"]


def test_a_post_is_kept_with_path_headers_and_json() -> None:
    with HTTPSink() as sink:
        answer = requests.post(sink.url + "hook", json={"ä": [1]}, headers={"Authorization": "Bearer x"}, timeout=30)
        (post,) = sink.posts
    assert (answer.status_code, answer.text) == (200, "ok")
    assert (post.path, post.json, post.headers["Authorization"]) == ("/hook", {"ä": [1]}, "Bearer x")


def test_a_sink_can_refuse_and_still_remembers() -> None:
    with HTTPSink(status=503) as sink:
        assert requests.post(sink.url, data=b"{}", timeout=30).status_code == 503
        sink.status = 200
        assert requests.post(sink.url, data=b"{}", timeout=30).status_code == 200
        assert len(sink.posts) == 2


def test_a_post_without_end_is_refused_by_its_announced_length() -> None:
    with HTTPSink() as sink, socket.create_connection(("127.0.0.1", sink.port), timeout=30) as client:
        client.sendall(b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))
        assert client.makefile("rb").readline().split()[1] == b"413"
        assert sink.posts == []


def test_closing_ends_threads_and_ports_even_with_a_client_in_mid_sentence() -> None:
    before = set(threading.enumerate())
    mail, http = MailSink().start(), HTTPSink().start()
    ports = (mail.port, http.port)
    with socket.create_connection(("127.0.0.1", mail.port), timeout=30) as client:
        client.recv(100)
        client.sendall(b"EHLO half")
        mail.close()
        http.close()
        mail.close()
        http.close()
    assert set() == set(threading.enumerate()) - before
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=30)


def test_a_taken_port_is_an_error_of_start() -> None:
    with HTTPSink() as taken:
        with pytest.raises(OSError, match="in use"):
            MailSink(port=taken.port).start()
        with pytest.raises(OSError, match="in use"):
            HTTPSink(port=taken.port).start()
