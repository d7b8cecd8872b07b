"""The generic webhook and the dead man's switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def test_the_watchdog_beats_at_its_own_pace_and_nobody_else_hears_it(delivery: Delivery) -> None:
    delivery.post(alert("", name="Watchdog", severity="none", labels={"job": "", "instance": ""}))
    posts = wait_for(
        lambda: delivery.watchdog.posts[2:3] and delivery.watchdog.posts, what="three beats of the watchdog"
    )
    assert {post.json["alerts"][0]["labels"]["alertname"] for post in posts} == {"Watchdog"}
    elsewhere = [post.body for post in (*delivery.slack.posts, *delivery.webhook.posts) if b"Watchdog" in post.body]
    assert elsewhere == []
