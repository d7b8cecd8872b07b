"""What each engine decides over the same histories: when every alert fires, and of what."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
import yaml

from compat.programs import newer, run, running
from gauntlet import alerts, batch, history, recording, worlds
from gauntlet.cases import DAY, END
from runtime_exporter.mixin import generate, outputs
from tools import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from gauntlet.worlds import Group, Rules

CASES = batch.Batch(
    seed=1,
    world="one cluster",
    minutes=2 * DAY,
    # Those of the quick gauntlet that are two days long, but for a burn at its threshold, where every evaluation is a toss.
    names=(
        "fault/leak 10 %/h/0",
        "fault/leak 2 %/h/0",
        "fault/cpu spike/0",
        "fault/error burst/0",
        "fault/latency step below 1 s/0",
        "fault/one of three answers no more/0",
        "quiet/day and night/0",
        "quiet/sawtooth 90m/0",
        "quiet/step/0",
        "quiet/warm-up/0",
        "quiet/batch nightly/0",
        "quiet/low traffic/0",
    ),
)
BEGIN = 60 * (END - CASES.minutes)
# Every fault begins later; what is recorded of the day before is the past that alerts compare with.
SINCE = BEGIN + 25 * 3600
# An alert that is back so soon has not been away: two engines may differ about one evaluation at a threshold.
FLICKER_MINUTES = 5

Spans = list[tuple[int, int]]
"""Minutes since BEGIN, from the first in which an alert fires to the last."""

Decisions = dict[str, Spans]
"""By the alert with all its labels, as JSON."""


class Histories(NamedTuple):
    """All samples as OpenMetrics, how many there are, and the blocks that Prometheus has of them."""

    metrics: Path
    samples: int
    blocks: Path


def rules() -> Rules:
    """Return the generated rules, all but the Watchdog, with what they read of the recording rules."""
    return worlds.rules(CASES.world).of(worlds.detectors(), naive=False)


def histories(directory: Path) -> Histories:
    """Write the histories of all cases."""
    metrics, blocks = directory / "all.om", directory / "blocks"
    drawn = batch.cases(CASES)
    samples = history.write_openmetrics(
        metrics, drawn[0].first, (one for case in drawn for one in batch.histories(case))
    )
    history.backfill(metrics, blocks)
    return Histories(metrics, samples, blocks)


def of_prometheus(rules: Rules, histories: Histories, directory: Path) -> Decisions:
    """Return what the Prometheus and the promtool decide that PATH has first."""
    data = directory / "data"
    # Blocks are never written to again.
    shutil.copytree(histories.blocks, data, copy_function=os.link)
    recording.record(rules.recording, data, BEGIN, 60 * END)
    with history.prometheus(data) as url, ThreadPoolExecutor(2) as pool:
        fired = pool.map(lambda group: list(_fired(url, group)), rules.alerts)
        return _decided((labels, minute) for each in fired for labels, minute in each)


def _fired(url: str, group: Group) -> Iterator[tuple[dict[str, str], int]]:
    for firing in alerts.firings(url, _unkept(group), SINCE, 60 * END):
        for at in range(firing.begin, min(firing.end, 60 * END + 60), 60):
            yield firing.labels | {"alertname": firing.alert}, (at - BEGIN) // 60


def _unkept(group: Group) -> Group:
    """Leave out `keep_firing_for`, which vmalert's replay does not know: what is compared is what the expressions and `for` say."""
    bare = [{key: value for key, value in rule.items() if key != "keep_firing_for"} for rule in group["rules"]]
    return {**group, "rules": bare}


def of_vmalert(rules: Rules, histories: Histories, directory: Path) -> Decisions:
    """Return what vmalert decides on VictoriaMetrics, which gets the histories by remote_write and the recordings from vmalert."""
    text = {f"rules/{key}.yaml": generate.yaml_text({"groups": getattr(rules, key)}) for key in ("recording", "alerts")}
    shaped = {key: yaml.safe_load(each)["groups"] for key, each in outputs.shape(text, "vmalert").items()}
    with victoria(directory) as url:
        send(histories, directory, url)
        # Its groups go each at its own pace; a replay takes them one after the other, and what reads comes after what records.
        for number, groups in enumerate(
            [*recording.levels(shaped["rules/recording.yaml"]), shaped["rules/alerts.yaml"]]
        ):
            file = directory / f"rules-{number}.yaml"
            file.write_text(generate.yaml_text({"groups": groups}))
            _replay(url, file, BEGIN if "record" in groups[0]["rules"][0] else SINCE)
        fired = _exported(url, 'ALERTS{alertstate="firing"}')
        return _decided((labels, (at // 1000 - BEGIN) // 60) for labels, times in fired for at in times)


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


def send(histories: Histories, directory: Path, url: str) -> None:
    """Have vmagent write all histories to a URL by Prometheus' remote_write protocol, and return when every sample is there."""
    agent = f"http://127.0.0.1:{free_port()}"
    command = [
        newer("vmagent"), f"-remoteWrite.url={url}/api/v1/write", "-remoteWrite.forcePromProto", "-remoteWrite.flushInterval=100ms",
        f"-remoteWrite.tmpDataPath={directory / 'vmagent'}", f"-httpListenAddr={agent.removeprefix('http://')}", "-loggerLevel=WARN",
    ]  # fmt: skip
    with running(command, f"{agent}/health", directory / "vmagent.log"), histories.metrics.open("rb") as file:
        requests.post(f"{agent}/api/v1/import/prometheus", data=file, timeout=120).raise_for_status()
        wait_for(lambda: written(url) >= histories.samples, seconds=60, what="every sample in VictoriaMetrics")
    assert histories.samples == written(url)
    _visible(url)


def written(url: str) -> int:
    """Return how many samples have come to VictoriaMetrics by remote_write."""
    name = 'vm_rows_inserted_total{type="promremotewrite"}'
    lines = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))


def _replay(url: str, file: Path, begin: int) -> None:
    iso = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (begin, 60 * END)]
    code, said = run(
        newer("vmalert"), f"-rule={file}", f"-datasource.url={url}", f"-remoteWrite.url={url}", f"-replay.timeFrom={iso[0]}",
        f"-replay.timeTo={iso[1]}", "-replay.maxDatapointsPerQuery=100000", "-replay.rulesDelay=0s", "-replay.disableProgressBar",
        "-replay.ruleRetryAttempts=1", "-remoteWrite.flushInterval=100ms", "-httpListenAddr=127.0.0.1:0", "-loggerLevel=ERROR",
    )  # fmt: skip
    assert code == 0, said
    _visible(url)


def _visible(url: str) -> None:
    """Make what was written a part of what is found."""
    requests.get(f"{url}/internal/force_flush", timeout=60).raise_for_status()


def _exported(url: str, selector: str) -> Iterator[tuple[dict[str, str], list[int]]]:
    text = requests.get(f"{url}/api/v1/export", params={"match[]": selector}, timeout=60).text
    for line in text.splitlines():
        series: dict[str, Any] = json.loads(line)
        yield series["metric"], series["timestamps"]


def _decided(minutes: Iterable[tuple[Mapping[str, str], int]]) -> Decisions:
    # Prometheus and vmalert put these to an alert's own labels when they store its state.
    of_the_store = {"__name__", "alertstate", "alertgroup"}
    found: dict[str, list[int]] = {}
    for labels, minute in minutes:
        own = {name: value for name, value in labels.items() if name not in of_the_store}
        found.setdefault(json.dumps(own, sort_keys=True), []).append(minute)
    return {key: list(alerts.runs(sorted(fires), FLICKER_MINUTES)) for key, fires in found.items()}
