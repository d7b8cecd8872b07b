import json
import re

import pytest

from runtime_exporter.demo import watch
from runtime_exporter.demo.sinks import HTTPSink, Post
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
