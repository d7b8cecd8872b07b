"""POST /-/alert, as Alertmanager's webhook posts it: what is taken, what is skipped and why, what is refused."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import quote

import pytest
import requests

from runtime_exporter.profiling.captures import Captures, Source
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.shelf import Shelf
from runtime_exporter.web.alert import alert_routes
from runtime_exporter.web.app import application_of
from runtime_exporter.web.notification import MOST_BYTES
from runtime_exporter.web.profile_pages import profile_routes
from tools import wait_for

PROFILE = build("cpu", [((Frame("shop:slow"),), (1, 10**9), ())], time_nanos=10**18, duration_nanos=10**9)
JSON = {"Content-Type": "application/json"}
HOME = "http://127.0.0.1:9464"


def alert(name="RuntimeCpuSpike", status="firing", instance="shop-1:9464", annotations=None, **labels):
    labels = {"alertname": name, "job": "shop", **({"instance": instance} if instance else {}), **labels}
    return {
        "status": status,
        "labels": labels,
        "annotations": annotations or {},
        "startsAt": "2026-11-22T04:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "2a8c5d6c8a9e8f70",
    }


def notification(*alerts):
    return {
        "version": "4",
        "groupKey": '{}:{alertname="RuntimeCpuSpike"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "profiling",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
    }


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def post(serve, shelf):
    captures = Captures({"cpu": Source(lambda _: PROFILE, 2.5)}, shelf)

    def send(body, *, captures=captures, instance="", **options):
        url = serve(application_of(alert_routes(captures, instance=instance, home=lambda: HOME))).url
        return requests.post(url + "/-/alert", timeout=10, **{"json": body, **options})

    yield send
    captures.close()


def test_a_firing_alert_has_a_profile_taken_that_is_kept_with_its_name(post, shelf):
    answer = post(notification(alert(), alert(status="resolved"), alert("RuntimeFdExhaustion")))
    taken, resolved, unknown = answer.json()["alerts"]

    assert 200 == answer.status_code
    assert {
        "alert": "RuntimeCpuSpike",
        "fingerprint": "2a8c5d6c8a9e8f70",
        "profile": "cpu",
        "url": "/profiles/alert/RuntimeCpuSpike",
        "result": "accepted",
        "seconds": 2.5,
    } == taken
    assert ("skipped", "it is resolved") == (resolved["result"], resolved["reason"])
    assert ("skipped", None) == (unknown["result"], unknown["profile"])
    assert "no kind of profile explains this alert" in unknown["reason"]
    wait_for(lambda: shelf.entries("cpu", labels={"alert": "RuntimeCpuSpike"}), what="the profile to be kept")


@pytest.mark.parametrize(
    ("ours", "theirs", "taken"),
    [
        ("", "shop-1:9464", True),
        ("", "10.0.0.7:9464", True),
        ("", "[::1]:9464", True),
        ("", "shop-1:19464", False),
        ("", "shop-1:9465", False),
        ("", "shop-1", False),
        ("", "", True),  # an alert of a whole job
        ("shop-1:80", "shop-1:80", True),
        ("shop-1:80", "shop-1:9464", False),
        ("shop-1:80", "", True),
    ],
)
def test_only_alerts_about_this_process_count(post, ours, theirs, taken):
    (row,) = post(notification(alert(instance=theirs)), instance=ours).json()["alerts"]

    assert ("accepted" if taken else "skipped") == row["result"]
    assert taken or f"it is about {theirs}" in row["reason"]


def test_the_answer_and_the_page_say_why_it_is_not_the_kind_that_explains_the_alert_best(serve, shelf):
    captures = Captures({"cpu": Source(lambda _: PROFILE)}, shelf)
    routes = (*alert_routes(captures, instance="", home=lambda: HOME), *profile_routes(shelf, captures))
    url = serve(application_of(routes)).url
    (answer,) = requests.post(
        url + "/-/alert", timeout=10, json=notification(alert("RuntimeHttpLatencyHigh", instance=""))
    ).json()["alerts"]
    wait_for(lambda: captures.left("RuntimeHttpLatencyHigh") is None, what="the profile")
    page = requests.get(url + answer["url"], timeout=10).text

    assert ("accepted", "cpu") == (answer["result"], answer["profile"])
    assert "no wall profile can be taken here, and cpu comes next" == answer["reason"]
    assert "It is a cpu profile: no wall profile can be taken here, and cpu comes next." in page
    captures.close()


def test_a_rule_says_by_an_annotation_which_profile_explains_it(post):
    (row,) = post(notification(alert("OrdersPile", annotations={"profile": "cpu"}))).json()["alerts"]

    assert ("accepted", "cpu") == (row["result"], row["profile"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "this is not JSON"),
        (b"{", "this is not JSON"),
        (b"[" * 100_000, "this is not JSON"),
        (b"\xff", "this is not JSON"),
        (b"[]", "no list of alerts"),
        (b'{"alerts": {}, "version": "4"}', "no list of alerts"),
        (b'{"alerts": []}', "version 4 of Alertmanager's webhook is understood, not None"),
        (b'{"alerts": [], "version": "5"}', "not '5'"),
        (b'{"alerts": [1], "version": "4"}', "alerts[0] is no object"),
        (b'{"alerts": [{"labels": {}}], "version": "4"}', "alerts[0].labels has no alertname"),
        (b'{"alerts": [{"labels": {"alertname": 3}}], "version": "4"}', "alerts[0].labels is no object of texts"),
        (
            b'{"alerts": [{"labels": {"alertname": "A"}, "annotations": []}, 1], "version": "4"}',
            "alerts[1] is no object",
        ),
        (b'{"alerts": [{"labels": {"alertname": "A"}, "annotations": [1]}], "version": "4"}', "alerts[0].annotations"),
    ],
)
def test_what_is_no_notification_is_refused_in_words(post, body, said):
    answer = post(None, data=body, headers={"Content-Type": "application/json"})

    assert 400 == answer.status_code
    assert said in answer.json()["error"]


def test_a_notification_has_a_bound(post):
    fits = json.dumps(notification(alert())).encode().ljust(MOST_BYTES)
    options = {"headers": {"Content-Type": "application/json; charset=utf-8"}}

    assert 200 == post(None, data=fits, **options).status_code
    answer = post(None, data=fits + b" ", **options)
    assert (413, "a notification has at most 1048576 bytes") == (answer.status_code, answer.json()["error"])


def test_what_a_form_of_a_foreign_page_can_send_is_refused(post, shelf):
    body = json.dumps(notification(alert())).encode()

    assert {415} == {
        post(None, data=body, headers=headers).status_code for headers in ({}, {"Content-Type": "text/plain"})
    }
    assert () == shelf.entries()


def test_the_setting_is_named_where_it_is_off_and_other_methods_are_refused(serve, post):
    off = post(notification(alert()), captures=None)
    assert 501 == off.status_code
    assert "alert_profiling" in off.json()["error"]

    url = serve(application_of(alert_routes(None, home=lambda: HOME))).url
    answer = requests.get(url + "/-/alert", timeout=10)
    assert (405, "POST") == (answer.status_code, answer.headers["Allow"])


def test_half_a_character_in_a_label_breaks_nothing(post, shelf):
    answer = post(None, data=json.dumps(notification(alert("\ud800", profile="cpu"))), headers=JSON)

    assert (200, ["?"]) == (answer.status_code, [one["alert"] for one in answer.json()["alerts"]])
    wait_for(lambda: shelf.entries("cpu", labels={"alert": "?"}), what="the profile to be kept")


@pytest.mark.parametrize("name", ["A" * 60, "High CPU", "Überlast", "shop/cpu", "<b>cpu</b>", "..", "a" * 300])
def test_the_page_that_the_answer_names_shows_the_profile_whatever_the_alert_is_called(serve, shelf, name):
    captures = Captures({"cpu": Source(lambda _: PROFILE)}, shelf)
    url = serve(application_of([*alert_routes(captures, home=lambda: HOME), *profile_routes(shelf, captures)])).url
    answer = requests.post(f"{url}/-/alert", json=notification(alert(name, profile="cpu")), timeout=10)
    (entry,) = wait_for(shelf.entries, what="the profile to be kept")
    page = requests.Session().send(_exactly(url + answer.json()["alerts"][0]["url"]), timeout=10)

    assert 200 == page.status_code
    assert f"<h1>{escape(name)}</h1>" in page.text
    assert "was not taken for the alert" not in page.text
    assert quote(entry.name, safe="") in page.text
    captures.close()


def _exactly(url):
    """A request for this URL, from which requests would take out the dots."""
    request = requests.Request("GET", url).prepare()
    request.url = url
    return request
