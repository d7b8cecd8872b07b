"""What people receive, in Slack and by mail: the very messages that a real Alertmanager delivers.

`golden/` holds them whole. After a change: UPDATE_GOLDEN=1 python -m pytest tests/alertmanager, and read the difference.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import requests

from notifications import EXTERNAL_URL, ROOT, Delivery, alert, render
from tools import require, wait_for

if TYPE_CHECKING:
    from runtime_exporter.demo.sinks import Mail

GOLDEN = Path(__file__).parent / "golden"
TEMPLATES = ROOT / "alertmanager" / "templates" / "*.tmpl"
ENDS = "2026-01-01T11:04:30.4Z"
EVIL = '<!channel> "a\\b"\r\nBcc: <x@example.org> & `x` *b* _i_ ~s~ <@U1> http://e.x/ <script>alert(1)</script> {{ .Status }} $1 %41 +ü 🚀 |"> \''


@dataclass(frozen=True)
class Message:
    """One notification as it arrived in both places."""

    slack: dict[str, Any]
    mail: Mail

    def field(self, title: str) -> str:
        return str({field["title"]: field["value"] for field in self.slack["fields"]}[title])

    def button(self, text: str) -> str:
        return str({action["text"]: action["url"] for action in self.slack["actions"]}[text])


class Page(HTMLParser):
    """The elements of a page, the targets of its links and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: dict[str, str] = {}
        self.text = ""
        self._link = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._link = (dict(attrs).get("href") or "") if tag == "a" else ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._link and data.strip():
            self.links.setdefault(data.strip(), self._link)
            self._link = ""


def many(job: str, count: int, **more: Any) -> list[dict[str, Any]]:
    return [alert(job, labels={"instance": f"10.0.0.{100 + i}:9464"}, **more) for i in range(count)]


@pytest.fixture(scope="module")
def messages(delivery: Delivery) -> dict[str, Message]:
    """Every kind of message, by name; posted once, in the order of a life: firing first, resolved after."""

    def arrived(job: str, saying: str) -> Message:
        return Message(delivery.attachment(job, saying), delivery.letter(job, saying))

    place = {"namespace": "prod", "cluster": "eu-1"}
    bare = {
        "summary": "",
        "description": "",
        "suggested_actions": "",
        "runbook_url": "",
        "dashboard_url": "",
        "profile_url": "",
    }
    delivery.post(
        alert("shop", labels=place),
        alert(
            "mailer",
            name="RuntimeHttpLatencyHigh",
            severity="warning",
            labels={"instance": "", "http_route": "/orders/{id}"},
            annotations={
                "summary": "Requests take too long.",
                "description": "The route /orders/{id} of mailer is slow: the slowest 5% of its requests take longer than 2.4s (threshold 1s).",
                "suggested_actions": "- See whether one route is slow or all.\n- Count the queries of one request.",
            },
        ),
        alert(
            "evil" + EVIL, labels={"instance": EVIL, "path": EVIL}, annotations={"summary": EVIL, "description": EVIL}
        ),
        {**alert("bare", annotations=bare), "generatorURL": ""},
        alert("huge", labels={"path": "x" * 10_000}, annotations={"description": "y" * 100_000}),
        *many("fleet", 50),
        *(
            alert("edge", labels={"instance": f"10.0.{octet}.{last}:9464", "cluster": cluster, "namespace": "prod"})
            for octet, cluster in enumerate(("eu-1", "us-1"))
            for last in range(1, 4)
        ),
    )
    found = {
        "firing": arrived("shop", "CRITICAL"),
        "warning": arrived("mailer", "WARNING"),
        "hostile": arrived("evil", "CRITICAL"),
        "bare": arrived("bare", "CRITICAL"),
        "huge": arrived("huge", "CRITICAL"),
        "grouped": arrived("fleet", "(50 firing)"),
        **{f"cluster-{name}": _of_cluster(delivery, "edge", name) for name in ("eu-1", "us-1")},
    }
    delivery.post(alert("shop", labels=place, ends=ENDS), *many("fleet", 20, ends=ENDS))
    found["resolved"] = arrived("shop", "RESOLVED")
    found["partly"] = arrived("fleet", "(30 firing, 20 resolved)")
    return found


def _of_cluster(delivery: Delivery, job: str, cluster: str) -> Message:
    """Return the message about a job in one of several clusters."""

    def found() -> Message | None:
        # All of a group: on a busy machine the first of it may be told before the others have come.
        whole = f"{job} (3 firing)"
        mails = [mail for mail in delivery.mail.messages if f": {whole}" in mail.subject and cluster in mail.text]
        posts = [post.json["attachments"][0] for post in delivery.slack.posts]
        slacks = [post for post in posts if f"· {whole}" in post["title"] and cluster in post["fields"][0]["value"]]
        return Message(slacks[-1], mails[-1]) if mails and slacks else None

    message = wait_for(found, what=f"a message about {job} in {cluster}")
    assert message is not None
    return message


def labels_in(url: str) -> dict[str, str]:
    """Return the labels that a filter in a link to Alertmanager selects."""
    text = unquote(url.partition("filter=")[2])
    assert text[0] + text[-1] == "{}"
    found = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"(?:, )?', text)
    return {name: re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value) for name, value in found}


@pytest.mark.parametrize(
    "name", ["firing", "resolved", "warning", "grouped", "partly", "hostile", "bare", "cluster-eu-1"]
)
@pytest.mark.parametrize("kind", ["json", "html", "txt"])
def test_the_message_is_the_golden_one(messages: dict[str, Message], name: str, kind: str) -> None:
    message = messages[name]
    actual = {
        "json": json.dumps(message.slack, indent=2, ensure_ascii=False, sort_keys=True) + "\n",
        "html": message.mail.html,
        "txt": f"Subject: {message.mail.subject}\n\n{message.mail.text}",
    }[kind]
    golden = GOLDEN / f"{name}.{kind}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(actual)
    assert golden.read_text() == actual


def test_slack_says_what_where_since_when_and_what_to_do(messages: dict[str, Message]) -> None:
    message = messages["firing"]
    assert message.slack["title"] == "🔴 CRITICAL · RuntimeMemoryLeakSuspected · shop"
    assert message.slack["color"] == "#d92d20"
    assert message.field("Service") == "`shop` in `prod` on `eu-1`"
    assert message.field("Instance") == "`10.0.0.7:9464`"
    assert message.field("Since").startswith("<!date^1767261600^")
    summary, description, *rest = message.slack["text"].splitlines()
    assert summary == "*The memory of a process grows in a straight line.*"
    assert description == "shop on 10.0.0.7:9464 has grown by 312.4MiB within the last 6h, steadily and still."
    assert rest[:3] == ["", "*What to do*", "• Compare python_object_types of now and of some hours ago."]


def test_slack_has_five_buttons_that_lead_where_they_say(messages: dict[str, Message]) -> None:
    message = messages["firing"]
    sent = alert("shop")
    assert [action["text"] for action in message.slack["actions"]] == [
        "Runbook",
        "Dashboard",
        "Profile",
        "Query",
        "Silence",
    ]
    assert message.button("Runbook") == sent["annotations"]["runbook_url"]
    assert message.button("Dashboard") == sent["annotations"]["dashboard_url"]
    assert message.button("Profile") == sent["annotations"]["profile_url"]
    assert message.button("Query") == sent["generatorURL"]
    assert message.button("Silence").startswith(f"{EXTERNAL_URL}/#/silences/new?filter=")


def test_colour_and_circle_follow_severity_and_state(messages: dict[str, Message]) -> None:
    seen = {name: (message.slack["color"], message.slack["title"][0]) for name, message in messages.items()}
    assert ("#d92d20", "🔴") == seen["firing"]
    assert ("#f79009", "🟠") == seen["warning"]
    assert ("#079455", "🟢") == seen["resolved"]


def test_the_end_says_how_long_it_lasted_and_offers_no_silence(messages: dict[str, Message]) -> None:
    message = messages["resolved"]
    assert message.field("Lasted") == "1h4m30s"
    # The description speaks of what is over: it must not read as news.
    assert message.slack["text"].splitlines()[1].startswith("_Last report:_ shop on")
    assert "\nLast report: shop on" in message.mail.text
    assert "What to do" not in message.slack["text"]
    assert "Silence" not in [action["text"] for action in message.slack["actions"]]
    assert "lasted:     1h4m30s" in message.mail.text
    assert "after 1h4m30s" in Page(message.mail.html).text
    assert message.mail.subject == "[RESOLVED] RuntimeMemoryLeakSuspected: shop"


def test_an_alert_about_a_whole_service_names_its_route_and_no_instance(messages: dict[str, Message]) -> None:
    message = messages["warning"]
    assert message.field("Instance") == "all of the service"
    assert re.search(r"http_route: +/orders/\{id\}", message.mail.text)


def test_a_mail_has_both_parts_and_headers_that_tell_machines_what_it_is(messages: dict[str, Message]) -> None:
    mail = messages["firing"].mail
    assert mail.subject == "[CRITICAL] RuntimeMemoryLeakSuspected: shop"
    assert mail.message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]
    assert (mail.message["Auto-Submitted"], mail.message["Importance"]) == ("auto-generated", "high")
    assert messages["warning"].mail.message["Importance"] == "normal"
    assert (mail.login, mail.recipients) == ("alerts", ("oncall@example.org",))


def test_a_mail_lists_the_actions_and_links_to_everything(messages: dict[str, Message]) -> None:
    sent = alert("shop")
    page = Page(messages["firing"].mail.html)
    assert "Look at what outlives a request: dicts & lists of modules." in page.text
    assert page.links["Runbook"] == sent["annotations"]["runbook_url"]
    assert page.links["Dashboard"] == sent["annotations"]["dashboard_url"]
    assert page.links["Profile"] == sent["annotations"]["profile_url"]
    assert page.links["Query"] == sent["generatorURL"]
    assert f"\nProfile:    {sent['annotations']['profile_url']}\n" in messages["firing"].mail.text
    for link in (page.links["Silence"], messages["firing"].button("Silence")):
        assert labels_in(link) == {**sent["labels"], "namespace": "prod", "cluster": "eu-1"}


def test_a_group_of_fifty_stays_readable(messages: dict[str, Message]) -> None:
    message = messages["grouped"]
    lines = message.slack["text"].splitlines()
    named = re.findall(r"^• instance `([^`]+)`", message.slack["text"], flags=re.MULTILINE)
    assert named == [f"10.0.0.{last}:9464" for last in range(100, 105)]
    assert len([line for line in lines if line.startswith("+45 more: <")]) == 1
    assert len(message.slack["text"]) < 3000
    page = Page(message.mail.html)
    assert page.text.count("has grown by") == 10 + 1  # and once in the preview line
    assert "+40 more in Alertmanager" in page.links
    # A mail over 102 kB is cut by Gmail.
    assert len(message.mail.html.encode()) < 60_000


def test_each_of_a_group_has_its_own_profile_and_dashboard(delivery: Delivery) -> None:
    delivery.post(
        *(
            alert(
                "shards",
                labels={"instance": f"10.0.1.{i}:9464"},
                annotations={
                    "profile_url": f"http://10.0.1.{i}:9464/profiles/alert/X?function=a%3Ab",
                    "dashboard_url": f"http://localhost:3000/d/x?var-instance=10.0.1.{i}%3A9464",
                },
            )
            for i in (1, 2)
        )
    )
    urls = [f"http://10.0.1.{i}:9464/profiles/alert/X?function=a%3Ab" for i in (1, 2)]
    mail, slack = delivery.letter("shards", "(2 firing)"), delivery.attachment("shards", "(2 firing)")
    assert [f"  Profile: {url}\n" in mail.text and f'href="{url}"' in mail.html for url in urls] == [True, True]
    assert re.findall(r"^  Dashboard: .*instance=(.*)%3A9464$", mail.text, re.MULTILINE) == ["10.0.1.1", "10.0.1.2"]
    assert {action["text"]: action["url"] for action in slack["actions"]}["Profile"] in urls


def test_a_group_can_be_silenced_as_a_whole_and_each_of_its_members_alone(messages: dict[str, Message]) -> None:
    common = {"alertname": "RuntimeMemoryLeakSuspected", "job": "fleet", "severity": "critical"}
    message = messages["grouped"]
    assert labels_in(message.button("Silence")) == common
    links = re.findall(r'href="([^"]*silences[^"]*)"', message.mail.html)
    assert [labels_in(link) for link in links[:2]] == [common, {**common, "instance": "10.0.0.100:9464"}]
    assert len(links) == 1 + 10


def test_each_cluster_has_a_message_of_its_own_that_names_it(messages: dict[str, Message]) -> None:
    for cluster, octet in (("eu-1", 0), ("us-1", 1)):
        message = messages[f"cluster-{cluster}"]
        assert message.field("Service") == f"`edge` in `prod` on `{cluster}`"
        assert "(3 firing)" in message.slack["title"]
        instances = re.findall(r"^• instance `([^`]+)`", message.slack["text"], flags=re.MULTILINE)
        assert instances == [f"10.0.{octet}.{last}:9464" for last in range(1, 4)]
        assert labels_in(message.button("Silence"))["cluster"] == cluster
        assert re.search(rf"^cluster: +{cluster}$", message.mail.text, re.MULTILINE)


def test_the_service_is_named_by_the_labels_as_they_are_called_here() -> None:
    amtool = require("amtool", package="prometheus-alertmanager")

    def shown(overrides: dict[str, str], **labels: str) -> str:
        critical = next(each for each in render(overrides)["receivers"] if each["name"] == "critical")
        text = critical["slack_configs"][0]["fields"][0]["value"]
        data = {"alerts": [], "commonLabels": {"job": "shop", **labels}}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(data, file)
            file.flush()
            options = ["--template.glob", str(TEMPLATES), "--template.data", file.name, "--template.text", text]
            done = subprocess.run(
                [amtool, "template", "render", *options], capture_output=True, text=True, timeout=30, check=True
            )
        return done.stdout.strip()

    named = {"namespaceLabel": "ns", "clusterLabel": "k8s_cluster"}
    assert shown(named, ns="prod", k8s_cluster="eu-1", cluster="x", namespace="y") == "`shop` in `prod` on `eu-1`"
    assert shown(named) == "`shop`"
    assert shown({"namespaceLabel": "cluster"}, cluster="eu-1") == "`shop` in `eu-1`"


def test_a_group_that_is_partly_over_shows_what_still_fires(messages: dict[str, Message]) -> None:
    message = messages["partly"]
    assert "10.0.0.119:9464" not in message.slack["text"] + message.mail.text
    assert "_20 resolved_" in message.slack["text"]
    assert "20 resolved" in Page(message.mail.html).text


def test_no_label_can_speak_slack_markup(messages: dict[str, Message]) -> None:
    message = messages["hostile"]
    shown = [
        message.slack["title"],
        message.slack["text"],
        message.slack["fallback"],
        *(f["value"] for f in message.slack["fields"]),
    ]
    markup = re.compile(r"<(?!!date\^\d+\^)[^>]*>|@here|@channel")
    assert [text for text in shown if markup.search(text)] == []
    assert "&lt;!channel&gt;" in message.field("Instance")
    assert message.field("Instance").count("`") == 2
    assert "\n" not in message.slack["title"]


# What Slack makes of a text, more readily than it does: a delimiter in no word, and its other on the same line.
_FORMATTED = {
    "bold": re.compile(r"\*[^*\n]+\*"),
    "italic": re.compile(r"(?<![0-9A-Za-z])_[^_\n]+_"),
    "struck out": re.compile(r"~[^~\n]+~"),
    "code": re.compile(r"`[^`\n]+`"),
    "block": re.compile(r"```"),
    "quoted": re.compile(r"^[ \t]*&gt;", re.MULTILINE),
    "mention or link": re.compile(r"<[^>]*>|://"),
}


def formatted(text: str) -> dict[str, list[str]]:
    """Return what is not plain in a text of Slack's."""
    found = {kind: pattern.findall(text) for kind, pattern in _FORMATTED.items()}
    return {kind: texts for kind, texts in found.items() if texts}


def test_no_label_can_look_other_than_plain_in_slack(messages: dict[str, Message]) -> None:
    prose = messages["hostile"].slack["text"].partition("\n\n*What to do*")[0]
    assert (prose[0], prose.count("*")) == ("*", 2), "the summary is bold, and nothing else"
    assert formatted(prose.replace("*", "")) == {}
    assert "'x' ∗b∗ ˍi_ ∼s∼ &lt;@U1&gt; http:\u2060//e.x/" in prose  # noqa: RUF001 - characters that look alike are the point


def rendered(text: str, *descriptions: str) -> list[str]:
    """Return what a template makes of alerts with these descriptions, one after the other."""
    amtool = require("amtool", package="prometheus-alertmanager")
    alerts = [{"status": "firing", "labels": {}, "annotations": {"description": each}} for each in descriptions]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"status": "firing", "alerts": alerts}, file)
        file.flush()
        options = ["--template.glob", str(TEMPLATES), "--template.data", file.name, "--template.text", text]
        done = subprocess.run([amtool, "template", "render", *options], capture_output=True, timeout=60, check=True)
    return done.stdout.decode().split("␞")[:-1]


def test_nothing_that_a_text_holds_is_markup_to_slack() -> None:
    random = Random(20261122)
    pieces = [*"*_~`<>&|@!#: \n\tab1ü", "```", "__", "**", "://", "http://e.x", "<!here>", "<@U1>", "<http://a|b>"]
    texts = ["".join(random.choices(pieces, k=random.randrange(1, 30))) for _ in range(3000)]
    shown = rendered(
        '{{ range .Alerts }}{{ template "runtime_exporter.slack.prose" .Annotations.description }}␞{{ end }}', *texts
    )
    assert len(texts) == len(shown)
    assert {text: formatted(each) for text, each in zip(texts, shown, strict=True) if formatted(each)} == {}


def test_what_is_no_markup_is_left_as_it_is() -> None:
    texts = ["python_object_types of shop.faults:Cart.add_item, 5 * 3", "the route /orders/{id}, ~/x", "it's"]
    template = '{{ range .Alerts }}{{ template "runtime_exporter.slack.prose" .Annotations.description }}␞{{ end }}'
    assert texts == rendered(template, *texts)


def test_no_label_can_speak_html(messages: dict[str, Message]) -> None:
    page = Page(messages["hostile"].mail.html)
    assert "script" not in page.tags
    assert page.tags == Page(messages["firing"].mail.html).tags | {"br"}
    assert "<script>alert(1)</script> {{ .Status }} $1 %41 +ü 🚀" in page.text


def test_no_label_can_add_a_header_or_an_addressee(messages: dict[str, Message]) -> None:
    mail = messages["hostile"].mail
    assert (mail.recipients, mail.message["Bcc"]) == (("oncall@example.org",), None)
    assert mail.message.keys().count("Subject") == 1
    assert "\n" not in mail.subject
    assert "<script>" in mail.subject


def test_a_silence_of_hostile_labels_selects_exactly_that_alert(
    messages: dict[str, Message], delivery: Delivery
) -> None:
    sent = alert("evil" + EVIL, labels={"instance": EVIL, "path": EVIL})["labels"]
    for link in (messages["hostile"].button("Silence"), Page(messages["hostile"].mail.html).links["Silence"]):
        assert " " not in link
        assert labels_in(link) == sent
    # Alertmanager itself reads the same matchers so.
    silence = {
        "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in sent.items()],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2098-01-01T00:00:00Z",
        "createdBy": "test",
        "comment": "test",
    }
    assert requests.post(f"{delivery.url}/api/v2/silences", json=silence, timeout=30).status_code == 200
    matchers = re.findall(r'\w+="(?:[^"\\]|\\.)*"', unquote(link.partition("filter=")[2]))
    assert [found["labels"] for found in delivery.alerts(*matchers)] == [sent]


def test_an_alert_that_says_nothing_still_makes_a_whole_message(messages: dict[str, Message]) -> None:
    message = messages["bare"]
    assert [action["text"] for action in message.slack["actions"]] == ["Alertmanager"] * 4 + ["Silence"]
    assert [action["url"] for action in message.slack["actions"] if not action["url"].startswith(EXTERNAL_URL)] == []
    assert [field for field in message.slack["fields"] if not field["value"]] == []
    assert list(Page(message.mail.html).links) == ["Silence", "Alertmanager"]
    assert "<no value>" not in message.mail.text + message.mail.html + json.dumps(message.slack)


def test_a_message_is_bounded_whatever_an_alert_says(messages: dict[str, Message]) -> None:
    message = messages["huge"]
    assert len(message.slack["text"]) < 3000
    # Slack refuses a message with a link longer than this.
    assert max(len(action["url"]) for action in message.slack["actions"]) < 3000
    assert len(message.mail.html.encode()) < 60_000
    assert len(message.mail.text) < 10_000
