"""Annotations in Grafana: what exactly is sent, to whom, and what happens when it does not work."""

from __future__ import annotations

import logging

import pytest

from runtime_exporter.demo.sinks import HTTPSink
from runtime_exporter.errors import ConfigError
from runtime_exporter.profiling.alerts import Alert
from runtime_exporter.profiling.captures import Captured
from runtime_exporter.profiling.stored import CAPTURE, entry
from runtime_exporter.push.grafana import annotations_of, base_of
from runtime_exporter.settings import load

BEGIN = 1_795_312_800.25
ENTRY = entry("cpu", BEGIN, BEGIN + 10, CAPTURE, 4711, {"alert": "RuntimeCpuSpike"})
ALERT = Alert("RuntimeCpuSpike", {"job": "<b>shop</b>", "instance": "shop-1:9464", "pod": "x"})


@pytest.fixture
def grafana():
    with HTTPSink() as sink:
        yield sink


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "token"
    file.write_text("glsa_one\n")
    return file


def made(grafana, token=None):
    given = {"grafana_url": grafana.url, "grafana_token_file": token and str(token)}
    return annotations_of(load(given, {}), lambda: "http://127.0.0.1:9464")


def test_what_is_sent(grafana, token):
    made(grafana, token)(Captured(ENTRY, ALERT))
    (post,) = grafana.posts

    assert ("/api/annotations", "application/json", "Bearer glsa_one") == (
        post.path,
        post.headers["Content-Type"],
        post.headers["Authorization"],
    )
    assert {
        "time": 1_795_312_800_250,
        "timeEnd": 1_795_312_810_250,
        "tags": ["runtime-exporter", "profile", "RuntimeCpuSpike", "cpu"],
        "text": (
            '<a href="http://127.0.0.1:9464/profiles/cpu_20261122T020000.250Z_20261122T020010.250Z_capture_4711_alert%3D'
            'RuntimeCpuSpike.pb.gz">cpu profile for RuntimeCpuSpike</a>'
            "<br>job: &lt;b&gt;shop&lt;/b&gt;<br>instance: shop-1:9464"
        ),
    } == post.json


def test_a_token_that_is_changed_is_used_and_without_one_none_is_sent(grafana, token):
    annotations = made(grafana, token)
    token.write_text("glsa_two")
    annotations(Captured(ENTRY, ALERT))
    made(grafana)(Captured(ENTRY, ALERT))

    assert ["Bearer glsa_two", None] == [post.headers.get("Authorization") for post in grafana.posts]


def test_failures_are_one_line_without_the_token_and_so_is_their_end(grafana, token, caplog):
    annotations = made(grafana, token)
    with caplog.at_level(logging.INFO, "runtime_exporter"):
        grafana.status = 403
        annotations(Captured(ENTRY, ALERT))
        annotations(Captured(ENTRY, ALERT))
        grafana.status = 200
        annotations(Captured(ENTRY, ALERT))

    url = grafana.url.rstrip("/")
    failed, ended = caplog.messages
    assert failed.startswith(f"Grafana at {url} takes no annotation: the server says 403")
    assert f"Grafana at {url} takes annotations again" == ended
    assert "glsa" not in caplog.text


def test_a_grafana_that_is_away_is_a_line_too(token, caplog):
    with HTTPSink() as sink:
        annotations = made(sink, token)
    annotations(Captured(ENTRY, ALERT))

    assert ["refused" in message for message in caplog.messages] == [True]


@pytest.mark.parametrize(
    ("link", "base"),
    [
        ("http://shop-1:9464/profiles/alert/RuntimeCpuSpike?function=x", "http://shop-1:9464"),
        ("https://agent/targets/shop/profiles/alert/X", "https://agent/targets/shop"),
        ("javascript:alert(1)//profiles/x", ""),
        ("/profiles/alert/X", ""),
        ("http://[half/profiles/x", ""),
        ("http://shop/else", ""),
        ("", ""),
    ],
)
def test_links_begin_where_the_notification_says_that_we_are(link, base):
    assert base == base_of(link)


def test_what_does_not_go_together_is_told_at_the_start(tmp_path):
    with pytest.raises(ConfigError, match=r"grafana_token_file \(argument\) needs grafana_url"):
        annotations_of(load({"grafana_token_file": str(tmp_path / "token")}, {}), str)
    with pytest.raises(ConfigError, match=r"grafana_token_file = .*cannot be read: No such file"):
        annotations_of(load({"grafana_url": "http://g", "grafana_token_file": str(tmp_path / "token")}, {}), str)
    assert annotations_of(load({}, {}), str) is None
