"""The generic webhook, the one that has profiles taken, and the dead man's switch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notifications import TOKEN, alert
from tools import wait_for

if TYPE_CHECKING:
    from notifications import Delivery


def test_a_webhook_gets_the_first_alerts_as_json_with_the_token_from_the_file(delivery: Delivery) -> None:
    delivery.post(*(alert("hooked", labels={"instance": f"10.0.0.{100 + i}:9464"}) for i in range(5)))

    def sizes() -> list[tuple[int, int]]:
        said = [post.json for post in delivery.webhook.posts if post.json["commonLabels"].get("job") == "hooked"]
        return [
            (len(one["alerts"]), one["truncatedAlerts"])
            for one in said
            if len(one["alerts"]) + one["truncatedAlerts"] == 5
        ]

    assert wait_for(sizes, what="the webhook with all five")[0] == (3, 2)
    post = next(post for post in delivery.webhook.posts if post.json["commonLabels"].get("job") == "hooked")
    assert (post.json["receiver"], post.json["status"]) == ("critical", "firing")
    assert post.headers["Authorization"] == f"Bearer {TOKEN}"


def posted_to_the_profiler(delivery: Delivery, job: str) -> list[dict[str, Any]]:
    return [post.json for post in delivery.profiler.posts if post.json["commonLabels"].get("job") == job]


def test_what_a_profile_explains_is_posted_at_once_each_alert_alone_and_everybody_else_hears_it(
    delivery: Delivery,
) -> None:
    delivery.post(*(alert("profiled", name="RuntimeCpuSpike", labels={"instance": f"10.0.0.{i}:9464"}) for i in (1, 2)))
    posts = wait_for(
        lambda: posted_to_the_profiler(delivery, "profiled")[1:] and posted_to_the_profiler(delivery, "profiled"),
        what="both alerts at the profiler",
    )
    assert {"10.0.0.1:9464", "10.0.0.2:9464"} == {post["commonLabels"]["instance"] for post in posts}
    assert [1, 1] == [len(post["alerts"]) for post in posts]
    assert {("4", "firing", "profiling")} == {(post["version"], post["status"], post["receiver"]) for post in posts}
    post = next(post for post in delivery.profiler.posts if post.json["commonLabels"].get("job") == "profiled")
    assert post.headers["Authorization"] == f"Bearer {TOKEN}"
    assert "2 firing" in delivery.attachment("profiled", "CRITICAL")["title"]


def test_an_alert_of_ones_own_is_profiled_by_its_label_and_what_is_over_or_needs_none_is_not(
    delivery: Delivery,
) -> None:
    own = alert("own", name="ShopQueueFull", labels={"profile": "wall"})
    delivery.post(own, alert("unprofiled", name="RuntimeRestarting"))
    wait_for(lambda: posted_to_the_profiler(delivery, "own"), what="the own alert at the profiler")
    delivery.post({**own, "endsAt": "2026-01-01T10:30:00Z"})
    delivery.attachment("own", "RESOLVED")
    delivery.attachment("unprofiled", "CRITICAL")
    assert ["firing"] == [post["status"] for post in posted_to_the_profiler(delivery, "own")]
    assert [] == posted_to_the_profiler(delivery, "unprofiled")


def test_the_watchdog_beats_at_its_own_pace_and_nobody_else_hears_it(delivery: Delivery) -> None:
    delivery.post(alert("", name="Watchdog", severity="none", labels={"job": "", "instance": ""}))
    posts = wait_for(
        lambda: delivery.watchdog.posts[2:3] and delivery.watchdog.posts, what="three beats of the watchdog"
    )
    assert {post.json["alerts"][0]["labels"]["alertname"] for post in posts} == {"Watchdog"}
    elsewhere = [post.body for post in (*delivery.slack.posts, *delivery.webhook.posts) if b"Watchdog" in post.body]
    assert elsewhere == []
