"""alertmanager.yml: what is switched off leaves nothing behind, and no secret stands in it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from notifications import render, write
from runtime_exporter.errors import BundleError
from runtime_exporter.profiling import alerts
from tools import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CHANNELS = ("slack_configs", "email_configs", "webhook_configs")
EVERY_SEVERITY = {"slack": True, "email": True, "webhook": True}
EVERYTHING = {
    "alertmanager": {
        "critical": EVERY_SEVERITY,
        "warning": EVERY_SEVERITY,
        "info": EVERY_SEVERITY,
        "email": {"authUsername": "alerts"},
        "webhook": {"url": "http://hook.example/", "credentialsFile": "/run/secrets/hook"},
        "profiling": {"enabled": True, "credentialsFile": "/run/secrets/profiling"},
        "watchdog": {"url": "http://watchdog.example/", "credentialsFile": "/run/secrets/watchdog"},
    }
}
NOTHING = {"alertmanager": {"slack": {"enabled": False}, "email": {"enabled": False}}}


def receivers(overrides: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    return {receiver["name"]: receiver for receiver in render(overrides)["receivers"]}


def channels(overrides: Mapping[str, Any] | None = None) -> dict[str, list[str]]:
    return {name: [key for key in CHANNELS if key in receiver] for name, receiver in receivers(overrides).items()}


def pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of an object with its value, at any depth."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield str(key), child
        yield from pairs(child)


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param({}, id="defaults"),
        pytest.param(EVERYTHING, id="everything"),
        pytest.param(NOTHING, id="nothing"),
        pytest.param({"clusterLabel": "k8s_cluster", "namespaceLabel": "ns"}, id="other labels"),
        pytest.param({"alertmanager": {"groupBy": ["alertname", "cluster", "job"]}}, id="a label named twice"),
        pytest.param({"clusterLabel": "namespace"}, id="one label for two"),
        pytest.param({"alertmanager": {"groupBy": ["..."]}}, id="every alert alone"),
    ],
)
def test_amtool_accepts_the_configuration_and_every_template(tmp_path: Path, overrides: dict[str, Any]) -> None:
    amtool = require("amtool", package="prometheus-alertmanager")
    command = [amtool, "check-config", str(write(tmp_path, overrides))]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # The glob is one entry; that it finds all four files is proven by the deliveries.
    assert checked.stdout.count("SUCCESS") == 2


def test_by_default_critical_has_slack_and_mail_warning_slack_and_info_nobody() -> None:
    expected = {
        "critical": ["slack_configs", "email_configs"],
        "warning": ["slack_configs"],
        "info": [],
        "watchdog": [],
        "null": [],
    }
    assert expected == channels()


def test_every_channel_can_be_switched_on_for_every_severity() -> None:
    expected = {
        "critical": list(CHANNELS),
        "warning": list(CHANNELS),
        "info": list(CHANNELS),
        "watchdog": ["webhook_configs"],
        "null": [],
        "profiling": ["webhook_configs"],
    }
    assert expected == channels(EVERYTHING)


def test_a_channel_that_is_switched_off_leaves_nothing_behind() -> None:
    assert {name: [] for name in ("critical", "warning", "info", "watchdog", "null")} == channels(NOTHING)
    assert "slack" not in json.dumps(render({"alertmanager": {"slack": {"enabled": False}}}))


def test_a_severity_can_have_its_own_channel_and_its_own_addressee() -> None:
    found = receivers({"alertmanager": {"critical": {"slackChannel": "#pager", "emailTo": "boss@example.org"}}})
    assert found["critical"]["slack_configs"][0]["channel"] == "#pager"
    assert found["critical"]["email_configs"][0]["to"] == "boss@example.org"
    assert found["warning"]["slack_configs"][0]["channel"] == "#alerts"


def test_secrets_come_from_files_only() -> None:
    forbidden = {
        "api_url",
        "slack_api_url",
        "auth_password",
        "smtp_auth_password",
        "credentials",
        "password",
        "url_file",
    }
    everything = dict(pairs(render(EVERYTHING)))
    assert set() == forbidden & set(everything)
    expected = {
        "/run/secrets/slack_api_url",
        "/run/secrets/smtp_password",
        "/run/secrets/hook",
        "/run/secrets/profiling",
        "/run/secrets/watchdog",
    }
    assert expected == {value for key, value in pairs(render(EVERYTHING)) if key.endswith("_file")}


def test_a_password_never_travels_in_clear_unless_told_so() -> None:
    def demanded(**email: str) -> bool:
        found = receivers({"alertmanager": {"email": email}})["critical"]["email_configs"][0]["require_tls"]
        assert isinstance(found, bool)
        return found

    assert (False, True) == (demanded(), demanded(authUsername="alerts"))
    assert (True, False) == (demanded(tls="always"), demanded(tls="never", authUsername="alerts"))


def test_an_unknown_demand_for_tls_is_one_clear_line() -> None:
    with pytest.raises(BundleError, match=r"alertmanager\.email\.tls: 'sometimes' is not 'always', 'never' or 'auto'"):
        render({"alertmanager": {"email": {"tls": "sometimes"}}})


def test_the_profiler_is_no_part_of_it_until_it_is_switched_on() -> None:
    assert "profiling" not in json.dumps(render())
    [post] = receivers(EVERYTHING)["profiling"]["webhook_configs"]
    assert ("http://localhost:9464/-/alert", False) == (post["url"], post["send_resolved"])


def test_the_profiler_is_told_who_posts_as_its_web_configuration_wants_it() -> None:
    settings = {"enabled": True, "username": "alertmanager", "credentialsFile": "/run/secrets/profiling"}
    [post] = receivers({"alertmanager": {"profiling": settings}})["profiling"]["webhook_configs"]
    wanted = {"username": "alertmanager", "password_file": "/run/secrets/profiling"}
    assert {"basic_auth": wanted} == post["http_config"]


def test_the_profiler_lets_in_a_user_with_a_password_or_a_token() -> None:
    def login(**settings: str) -> dict[str, Any]:
        profiling = {"enabled": True, "credentialsFile": "/run/secrets/profiling", **settings}
        [post] = receivers({"alertmanager": {"profiling": profiling}})["profiling"]["webhook_configs"]
        found: dict[str, Any] = post.get("http_config", {})
        return found

    expected = {"basic_auth": {"username": "alertmanager", "password_file": "/run/secrets/profiling"}}
    assert expected == login(username="alertmanager")
    assert {"type": "Bearer", "credentials_file": "/run/secrets/profiling"} == login()["authorization"]
    assert {} == login(credentialsFile="")


def test_what_is_posted_to_the_profiler_is_what_the_profiler_knows() -> None:
    [route, _] = [route for route in render(EVERYTHING)["route"]["routes"] if route["receiver"] == "profiling"]
    [names] = [matcher for matcher in route["matchers"] if matcher.startswith("alertname=~")]
    assert set(alerts.KINDS) == set(names.partition("=~")[2].strip('"').split("|"))


def test_the_receiver_of_commands_hears_of_what_is_named_and_of_nothing_else(tmp_path: Path) -> None:
    assert '"act"' not in json.dumps(render())
    act = {"enabled": True, "secretFile": "/run/secrets/act", "alerts": ["RuntimeCpuSpike", "Shop.Queue|Full"]}
    path = write(tmp_path, {"alertmanager": {"act": act}})
    amtool = require("amtool", package="prometheus-alertmanager")
    for name, heard in {
        "RuntimeCpuSpike": "act,warning",
        "Shop.Queue|Full": "act,warning",
        "Shop_Queue": "warning",
        "RuntimeCpuSpike2": "warning",
    }.items():
        command = [amtool, "config", "routes", "test", f"--config.file={path}", f"alertname={name}", "severity=warning"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        assert asked.stdout.strip() == heard, name
    [post] = receivers({"alertmanager": {"act": act}})["act"]["webhook_configs"]
    assert post == {
        "url": "http://localhost:9466/-/act",
        "send_resolved": False,
        "http_config": {"authorization": {"type": "Bearer", "credentials_file": "/run/secrets/act"}},
    }


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ({"alerts": ["Down"]}, r"alertmanager\.act\.secretFile: is empty"),
        ({"secretFile": "/run/secrets/act"}, r"alertmanager\.act\.alerts: is empty"),
    ],
)
def test_a_receiver_of_commands_without_secret_or_alerts_is_one_clear_line(act: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        render({"alertmanager": {"act": {"enabled": True, **act}}})


def test_intervals_come_from_the_configuration() -> None:
    settings = {
        "groupWait": "0s",
        "groupInterval": "1s",
        "critical": {"repeatInterval": "7m"},
        "watchdog": {"interval": "9s"},
    }
    route = render({"alertmanager": settings})["route"]
    children = {child["receiver"]: child for child in route["routes"]}
    assert ("0s", "1s") == (route["group_wait"], route["group_interval"])
    assert ("7m", "9s") == (children["critical"]["repeat_interval"], children["watchdog"]["group_interval"])
    # Were it not shorter than the shortest interval, every second beat would be skipped.
    assert children["watchdog"]["repeat_interval"] == "1ms"


def test_other_names_of_cluster_and_namespace_reach_groups_and_inhibitions() -> None:
    config = render({"clusterLabel": "k8s_cluster", "namespaceLabel": "ns"})
    assert ["k8s_cluster", "ns", "alertname", "job"] == config["route"]["group_by"]
    for rule in config["inhibit_rules"]:
        assert {"k8s_cluster", "ns"} <= set(rule["equal"])
