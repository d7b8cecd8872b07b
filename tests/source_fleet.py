"""Every source as a running service of its real library, and one Prometheus that scrapes all and evaluates the rules of each."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import requests
import yaml

import rule_files
from runtime_exporter.mixin import config, generate
from tools import free_port, require, wait_for

HERE = Path(__file__).parent / "sources"
DEMO = HERE.parents[1] / "examples" / "shop" / "demo.yaml"
GOPATH = Path("/usr/share/gocode")
CLIENT = "golang-github-prometheus-client-golang-dev"
PYTHON = (
    "starlette_exporter",
    "prometheus_fastapi_instrumentator",
    "prometheus_flask_exporter",
    "django_prometheus",
    "opentelemetry",
    "opentelemetry_milliseconds",
)


def overrides(source):
    """Return the demo's short windows for the job that is called like its source."""
    # A loaded machine answers few requests in the windows of the demo.
    few = {"httpLatencyHigh": {"minRequests": 2}, "httpErrorBudgetBurn": {"minRequests": 5, "minDeviations": 2}}
    return config.compose(rule_files.load(DEMO), {"source": source, "selector": f'job="{source}"', "alerts": few})


@dataclass(frozen=True)
class Fleet:
    """What runs: the port of each service, and Prometheus."""

    ports: dict
    prometheus: str

    def ask(self, expression):
        answer = requests.get(f"{self.prometheus}/api/v1/query", params={"query": expression}, timeout=10).json()
        assert answer["status"] == "success", (expression, answer)
        return answer["data"]["result"]


@contextlib.contextmanager
def running(*command, environment=None):
    """Run a service until the end of the block; give the port that it prints."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.strip().isdigit(), f"{command[-1]} did not start"
        yield int(line)
    finally:
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()


@contextlib.contextmanager
def fleet(home, commands):
    """Run services and Prometheus, and ask the services for something all the time."""
    with contextlib.ExitStack() as stack:
        ports = {
            source: stack.enter_context(running(*command, environment=environment))
            for source, (command, environment) in commands.items()
        }
        url = stack.enter_context(prometheus(home, ports))
        stop = threading.Event()
        callers = [threading.Thread(target=calls, args=(port, stop)) for port in ports.values()]
        for caller in callers:
            caller.start()
        stack.callback(lambda: [caller.join(timeout=10) for caller in callers])
        stack.callback(stop.set)
        yield Fleet(ports, url)


def calls(port, stop):
    with requests.Session() as session:
        session.trust_env = False  # the environment, which it would read at each call, is changed by tests meanwhile
        while not stop.is_set():
            for path in ("items/1", "items/2", "items/3", "broken", "slow"):
                with contextlib.suppress(requests.RequestException):
                    session.get(f"http://127.0.0.1:{port}/{path}", timeout=10)


@contextlib.contextmanager
def prometheus(home, ports):
    # One configuration for all, as a mixed fleet has it: what a file records of one job must not meet another file's.
    several = {
        "source": "native",
        "selector": 'job=~".+"',
        "services": {source: {"source": source} for source in ports},
    }
    generated = generate.generate(config.compose(overrides("native"), several))
    files = [home / Path(name).name for name in generated if name.startswith("rules/")]
    for file in files:
        file.write_text(generated[f"rules/{file.name}"])
    scrapes = [
        {"job_name": source, "scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        for source, port in ports.items()
    ]
    (home / "prometheus.yml").write_text(
        yaml.safe_dump({"rule_files": [str(file) for file in files], "scrape_configs": scrapes})
    )
    url = f"http://127.0.0.1:{free_port()}"
    program = require("prometheus", package="prometheus")
    arguments = [f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'data'}"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *arguments, f"--web.listen-address={url.removeprefix('http://')}"], stdout=log, stderr=log
        )
        try:
            wait_for(lambda: is_ready(url), what="Prometheus")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def is_ready(url):
    try:
        return requests.get(f"{url}/-/ready", timeout=2).ok
    except requests.RequestException:
        return False
