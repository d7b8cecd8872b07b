"""The demo's own configuration is one that the real programs accept."""

import subprocess

import pytest
import yaml

import tools
from runtime_exporter import settings
from runtime_exporter.demo import files
from runtime_exporter.demo.cases import CASES

PORTS = files.Ports(shop=1001, exporter=1002, prometheus=1003, alertmanager=1004, mail=1005, slack=1006, deadman=1007)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo")
    files.write(directory, PORTS)
    return directory


def rules(directory):
    for file in (directory / "rules").glob("*.yaml"):
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def check(*command):
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert 0 == outcome.returncode, outcome.stdout + outcome.stderr


def test_prometheus_accepts_configuration_and_rules(directory):
    check(tools.require("promtool", package="prometheus"), "check", "config", str(directory / "prometheus.yml"))


def test_alertmanager_accepts_its_configuration(directory):
    amtool = tools.require("amtool", package="prometheus-alertmanager")
    check(amtool, "check-config", str(directory / "alertmanager" / "alertmanager.yml"))


def test_every_fault_has_its_alert_among_the_rules(directory):
    alerts = {rule["alert"] for rule in rules(directory) if "alert" in rule}
    assert {case.alert for case in CASES} | {"Watchdog"} <= alerts


def test_no_alert_of_the_demo_waits_longer_than_a_few_seconds(directory):
    waits = {
        rule["alert"]: rule.get("for", "0s")
        for rule in rules(directory)
        if rule.get("alert") in {case.alert for case in CASES}
    }
    assert {"0s", "2s", "3s", "6s"} == set(waits.values())
    assert "0s" == waits["RuntimeProfileRegression"]  # its three votes are the wait


def test_prometheus_scrapes_the_exporter_and_tells_alertmanager(directory):
    config = yaml.safe_load((directory / "prometheus.yml").read_text())
    assert ["127.0.0.1:1002"] == config["scrape_configs"][0]["static_configs"][0]["targets"]
    assert ["127.0.0.1:1004"] == config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert ("1s", "1s") == (config["global"]["scrape_interval"], config["global"]["evaluation_interval"])


def test_the_slack_address_is_in_a_file_of_its_own(directory):
    assert "http://127.0.0.1:1006/services/demo" == (directory / "slack_api_url").read_text()
    assert "services/demo" not in (directory / "alertmanager" / "alertmanager.yml").read_text()


def test_alerts_are_posted_to_the_exporter_that_takes_profiles(directory):
    config = yaml.safe_load((directory / "alertmanager" / "alertmanager.yml").read_text())
    hooks = [hook["url"] for receiver in config["receivers"] for hook in receiver.get("webhook_configs", ())]
    assert "http://127.0.0.1:1002/-/alert" in hooks


def test_every_setting_of_the_shop_is_one_of_the_exporter():
    loaded = settings.load({}, {f"RUNTIME_EXPORTER_{name.upper()}": value for name, value in files.SETTINGS.items()})
    assert (True, 1.0, 1.0) == (loaded.profiling, loaded.profile_interval, loaded.alert_profile_seconds)
    assert {"environment"} == {loaded.source(name).partition(" ")[0] for name in files.SETTINGS}
