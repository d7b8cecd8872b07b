import json
import re
from email.message import EmailMessage

import pytest

from runtime_exporter.demo import watch
from runtime_exporter.demo.sinks import HTTPSink, Mail, Post
from runtime_exporter.demo.watch import Alert, HTTPClient, Message, Observation
from runtime_exporter.errors import ExporterError

ANSWER = {
    "status": "success",
    "data": {
        "alerts": [
            {
                "labels": {"alertname": "Watchdog", "severity": "none"},
                "annotations": {},
                "state": "firing",
                "activeAt": "2026-11-22T01:00:00.123456789Z",
                "value": "1e+00",
            },
            {
                "labels": {"alertname": "RuntimeCpuSpike"},
                "annotations": {},
                "state": "pending",
                "activeAt": "2026-11-22T01:00:01Z",
                "value": "1e+00",
            },
        ]
    },
}


def test_alerts_are_read_with_their_state_and_time():
    expected = (Alert("Watchdog", "firing", 1795309200.123456), Alert("RuntimeCpuSpike", "pending", 1795309201.0))
    assert expected == watch.alerts(ANSWER)


def test_the_value_of_a_query_is_the_largest():
    answer = {"data": {"result": [{"value": [0, "1.5"]}, {"value": [0, "2.5"]}]}}
    assert 2.5 == watch.value(answer)


def test_a_query_without_a_result_has_no_value():
    assert watch.value({"data": {"result": []}}) is None


def test_a_firing_alert_stands_for_a_pending_one_of_the_same_name():
    seen = Observation(0, (Alert("A", "pending", 1), Alert("A", "firing", 2)))
    assert Alert("A", "firing", 2) == seen.alert("A")
    assert seen.alert("B") is None


def test_a_slack_post_is_a_message_with_its_title():
    body = json.dumps({"attachments": [{"title": "🟢 RESOLVED · RuntimeCpuSpike · shop", "text": "*Over.*"}]}).encode()
    (message,) = watch.slacks([Post("/", {}, body, 12.5)])
    assert Message("slack", "🟢 RESOLVED · RuntimeCpuSpike · shop", 12.5, "*Over.*") == message
    assert (True, True, False) == (
        message.resolved,
        message.about("RuntimeCpuSpike"),
        message.about("RuntimeGcPressure"),
    )


def test_a_message_that_counts_resolved_alerts_beside_firing_ones_is_not_the_end():
    assert not Message("slack", "🟠 WARNING · RuntimeHttpLatencyHigh · shop (2 firing, 1 resolved)", 0).resolved


def test_a_message_is_found_by_channel_alert_kind_and_time():
    early, late = Message("mail", "WARNING RuntimeCpuSpike", 5.0), Message("mail", "WARNING RuntimeCpuSpike", 15.0)
    seen = Observation(20, (), (early, late, Message("slack", "WARNING RuntimeCpuSpike", 16.0)))
    assert late == seen.message("mail", "RuntimeCpuSpike", resolved=False, since=10.0)
    assert seen.message("mail", "RuntimeCpuSpike", resolved=True, since=0.0) is None


def test_a_part_that_does_not_answer_is_named():
    client = HTTPClient()
    with pytest.raises(ExporterError, match=re.escape("GET http://127.0.0.1:9/api")):
        client.get("http://127.0.0.1:9/api")
    assert not client.answers("http://127.0.0.1:9/")
    client.close()


def test_an_answer_that_is_no_json_is_an_error_of_ours():
    client = HTTPClient()
    with HTTPSink() as sink, pytest.raises(ExporterError, match=re.escape(f"POST {sink.url}")):
        client.post(sink.url, {"on": True})
    client.close()


PROFILE = "http://127.0.0.1:9464/profiles/alert/RuntimeProfileRegression?function="


def test_the_profile_links_of_a_slack_message_are_those_of_its_buttons():
    actions = [{"type": "button", "text": text, "url": f"http://x/{text}"} for text in ("Runbook", "Profile")]
    body = json.dumps({"attachments": [{"title": "RuntimeCpuSpike", "actions": actions}]}).encode()
    assert ("http://x/Profile",) == watch.slacks([Post("/", {}, body, 1.0)])[0].profiles


def test_the_profile_links_of_a_mail_are_those_that_say_so():
    mail = EmailMessage()
    mail["Subject"] = "RuntimeCpuSpike"
    mail.set_content("text")
    link = '<a class="link" href="{}" style="color:#175cd3;">{}</a>'
    written = link.format("http://x/a?b=1&amp;c=2", "Profile") + link.format("http://x/d", "Dashboard")
    mail.add_alternative(written, subtype="html")
    (message,) = watch.mails([Mail("a@x", ("b@x",), "", mail, 1.0)])
    assert (("http://x/a?b=1&c=2",), "text\n") == (message.profiles, message.text)


@pytest.mark.parametrize(
    ("function", "link"), [("shop:B.c", "shop%3AB.c"), ("shop:a", "shop%3Aa"), ("shop:unknown", "shop%3Aa")]
)
def test_of_several_links_the_one_about_the_function_is_followed(function, link):
    message = Message("mail", "x", 0, "", (PROFILE + "shop%3Aa", PROFILE + "shop%3AB.c"))
    assert PROFILE + link == message.profile(function)


def test_a_message_without_a_link_leads_nowhere():
    assert "" == Message("mail", "x", 0).profile("shop:a")


def test_a_page_that_is_not_there_is_empty():
    client = HTTPClient()
    with HTTPSink() as sink:
        assert "" == client.page(sink.url)  # it only takes posts
    assert "" == client.page("http://127.0.0.1:9/")
    client.close()
