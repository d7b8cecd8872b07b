"""What each engine decides over the same histories: when every alert fires, and of what."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import requests
import yaml

from compat.programs import newer, run, running
from gauntlet import alerts, history
from gauntlet import run as gauntlet
from gauntlet.cases import END
from runtime_exporter.mixin import generate, outputs
from tools import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from gauntlet.run import World

SEED = 1
CASES = [
    "fault/leak 10 %/h/0",
    "fault/cpu spike/0",
    "fault/error burst/0",
    "fault/one of three answers no more/0",
    "quiet/steady/0",
    "quiet/sawtooth 30m/0",
    "quiet/restarts hourly/0",
]
BEGIN = 60 * (END - 48 * 60)
# Every fault begins later; what is recorded of the day before is the past that alerts compare with.
SINCE = BEGIN + 25 * 3600
# An alert that is back so soon has not been away: two engines may differ about one evaluation at a threshold.
FLICKER_MINUTES = 5

Spans = list[tuple[int, int]]
"""Minutes since BEGIN, from the first in which an alert fires to the last."""

Decisions = dict[str, Spans]
"""By the alert with all its labels, as JSON."""


def world() -> World:
    """Return the cases with the rules that are generated for Prometheus."""
    [only] = gauntlet.worlds(SEED, CASES)
    return only


def of_prometheus(world: World, directory: Path) -> Decisions:
    """Return what the Prometheus and the promtool decide that PATH has first."""
    data = gauntlet.prepare(world, SEED, directory, lambda _: None)
    rules = [rule for group in world.alerts["groups"] for rule in group["rules"]]
    answers = directory / "answers"
    answers.mkdir()
    with history.prometheus(data) as url, ThreadPoolExecutor(2) as pool:
        fired = pool.map(lambda rule: list(_fired(url, rule, answers)), rules)
        return _decided((labels, minute) for each in fired for labels, minute in each)


def _fired(url: str, rule: Mapping[str, Any], answers: Path) -> Iterator[tuple[dict[str, str], int]]:
    # vmalert's replay does not keep firing: what is compared is what the expressions and `for` say.
    held = {key: value for key, value in rule.items() if key != "keep_firing_for"}
    for firing in alerts.firings(url, {"rules": [held]}, SINCE, 60 * END, answers):
        for at in range(firing.begin, min(firing.end, 60 * END + 60), 60):
            yield firing.labels | {"alertname": firing.alert}, (at - BEGIN) // 60


def of_vmalert(directory: Path) -> Decisions:
    """Return what vmalert decides on VictoriaMetrics, which gets the histories by remote_write and the recordings from vmalert."""
    with victoria(directory) as url:
        send(directory, url)
        recording, alerting = _rules_for_vmalert()
        # Its groups go each at its own pace; a replay takes them one after the other, and what reads comes after what records.
        for number, groups in enumerate([*history.levels({"groups": recording}), alerting]):
            file = directory / f"rules-{number}.yaml"
            file.write_text(generate.yaml_text({"groups": groups}))
            _replay(url, file, SINCE if groups is alerting else BEGIN)
        series = _export(url, 'ALERTS{alertstate="firing"}')
        return _decided((labels, (at // 1000 - BEGIN) // 60) for labels, times in series for at in times)


@contextlib.contextmanager
def victoria(directory: Path) -> Iterator[str]:
    """Run VictoriaMetrics until the end of the block; yield its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    # Histories are older than the month that is kept by default, and asked about at once, not half a minute later.
    command = [
        newer("victoria-metrics"), f"-storageDataPath={directory / 'victoria'}", "-retentionPeriod=100y", "-search.latencyOffset=0s",
        f"-httpListenAddr={url.removeprefix('http://')}", "-search.maxPointsPerTimeseries=100000", "-loggerLevel=WARN",
    ]  # fmt: skip
    with running(command, f"{url}/health", directory / "victoria.log"):
        yield url


def send(directory: Path, url: str) -> None:
    """Have vmagent write all histories to a URL by Prometheus' remote_write protocol, and return when every sample is there."""
    agent = f"http://127.0.0.1:{free_port()}"
    command = [
        newer("vmagent"), f"-remoteWrite.url={url}/api/v1/write", "-remoteWrite.forcePromProto", "-remoteWrite.flushInterval=100ms",
        f"-remoteWrite.tmpDataPath={directory / 'vmagent'}", f"-httpListenAddr={agent.removeprefix('http://')}", "-loggerLevel=WARN",
    ]  # fmt: skip
    samples = 0
    with running(command, f"{agent}/health", directory / "vmagent.log"):
        for case in gauntlet.cases(SEED, CASES):
            file = directory / "history"
            samples += history.write_openmetrics(file, case.processes[0].first, gauntlet.histories(case, SEED))
            requests.post(f"{agent}/api/v1/import/prometheus", data=file.read_bytes(), timeout=60).raise_for_status()
        wait_for(lambda: written(url) >= samples, seconds=60, what=f"{samples} samples in VictoriaMetrics")
    assert samples == written(url)
    _visible(url)


def written(url: str) -> int:
    """Return how many samples have come to VictoriaMetrics by remote_write."""
    name = 'vm_rows_inserted_total{type="promremotewrite"}'
    lines = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))


def _rules_for_vmalert() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    files = gauntlet.rules({**gauntlet.OVERRIDES["one cluster"], "target": "vmalert"})
    texts = {f"rules/{name}": generate.yaml_text(document) for name, document in files.items()}
    shaped = outputs.shape(texts, "vmalert")
    recording, alerting = (
        yaml.safe_load(shaped[f"rules/{name}"])["groups"] for name in ("recording.yaml", "alerts.yaml")
    )
    return recording, alerting


def _replay(url: str, rules: Path, begin: int) -> None:
    iso = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (begin, 60 * END)]
    code, said = run(
        newer("vmalert"), f"-rule={rules}", f"-datasource.url={url}", f"-remoteWrite.url={url}", f"-replay.timeFrom={iso[0]}",
        f"-replay.timeTo={iso[1]}", "-replay.maxDatapointsPerQuery=100000", "-replay.rulesDelay=0s", "-replay.disableProgressBar",
        "-replay.ruleRetryAttempts=1", "-remoteWrite.flushInterval=100ms", "-httpListenAddr=127.0.0.1:0", "-loggerLevel=ERROR",
    )  # fmt: skip
    assert code == 0, said
    _visible(url)


def _visible(url: str) -> None:
    """Make what was written a part of what is found."""
    requests.get(f"{url}/internal/force_flush", timeout=60).raise_for_status()


def _export(url: str, selector: str) -> Iterator[tuple[dict[str, str], list[int]]]:
    text = requests.get(f"{url}/api/v1/export?{urllib.parse.urlencode({'match[]': selector})}", timeout=60).text
    for line in text.splitlines():
        series = json.loads(line)
        yield series["metric"], series["timestamps"]


def _decided(minutes: Iterable[tuple[Mapping[str, str], int]]) -> Decisions:
    # Prometheus and vmalert put these to an alert's own labels when they store its state.
    of_the_store = {"__name__", "alertstate", "alertgroup"}
    found: dict[str, list[int]] = {}
    for labels, minute in minutes:
        own = {name: value for name, value in labels.items() if name not in of_the_store}
        found.setdefault(json.dumps(own, sort_keys=True), []).append(minute)
    return {key: list(alerts.runs(sorted(fires), FLICKER_MINUTES)) for key, fires in found.items()}  # type: ignore[misc]
