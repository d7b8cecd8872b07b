"""A Prometheus on loopback with a history in it: backfilled by promtool, then given what the recording rules make of it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

import tools
from runtime_exporter.errors import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gauntlet.service import Series

# Everything in one block: nothing here is ever appended, and promtool reads its whole input once a block.
BLOCK = "12288h"
# promtool asks for a block of recorded series at once, and Prometheus answers with at most 11000 points.
RECORDED_BLOCK = "128h"
SECONDS_TO_START = 60
SECONDS_TO_ANSWER = 600


def write_openmetrics(path: Path, first: int, histories: Iterable[tuple[int, Iterable[Series]]]) -> int:
    """Write (offset in seconds of its scrapes, series) of each target from the minute `first` on; return the number of samples."""
    samples = 0
    with path.open("w", encoding="utf-8") as file:
        for offset, series in histories:
            for one in series:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(one.labels.items()))
                head = f"{one.name}{{{labels}}} "
                start = 60 * first + offset
                lines = [
                    f"{head}{value} {start + 60 * minute}\n"
                    for minute, value in enumerate(one.values)
                    if value is not None
                ]
                samples += len(lines)
                file.writelines(lines)
        file.write("# EOF\n")
    return samples


def backfill(metrics: Path, data: Path) -> None:
    """Make blocks of an OpenMetrics file in Prometheus' directory."""
    data.mkdir(parents=True, exist_ok=True)
    _promtool(
        "tsdb", "create-blocks-from", "openmetrics", "--quiet", f"--max-block-duration={BLOCK}", str(metrics), str(data)
    )


def record(rules: dict[str, Any], data: Path, begin: int, end: int) -> int:
    """Backfill what the recording rules of a rule file make of the history between two Unix times; return in how many passes.

    promtool evaluates each rule on what is stored, and knows nothing of rules that read each other: those come in a later pass.
    """
    passes = levels(rules)
    for number, groups in enumerate(passes):
        file = data.parent / f"pass-{number}.yaml"
        file.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
        blocks = data.parent / f"pass-{number}"
        blocks.mkdir()
        with prometheus(data) as url:
            _promtool(
                "tsdb", "create-blocks-from", "rules", "--quiet", f"--max-block-duration={RECORDED_BLOCK}", f"--url={url}",
                f"--start={begin}", f"--end={end}", f"--output-dir={blocks}", str(file),
            )  # fmt: skip
        for block in blocks.iterdir():
            shutil.move(str(block), str(data))
    return len(passes)


def levels(rules: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the groups of each pass: first the rules that read no recorded series, then those that read these, and so on."""
    # Several rules may record the same name, with different labels: it is known once all of them are.
    pending = [(group, rule) for group in rules["groups"] for rule in group["rules"]]
    passes = []
    while pending:
        names = {rule["record"] for _, rule in pending}
        groups: dict[str, dict[str, Any]] = {}
        later = []
        for group, rule in pending:
            if _reads(rule["expr"], names):
                later.append((group, rule))
            else:
                groups.setdefault(group["name"], {**group, "rules": []})["rules"].append(rule)
        if not groups:
            raise ValueError(f"rules that read each other in a circle: {sorted(names)}")
        pending = later
        passes.append(list(groups.values()))
    return passes


def _reads(expression: str, names: Iterable[str]) -> bool:
    words = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", expression))
    return bool(words & set(names))


@contextmanager
def prometheus(data: Path) -> Iterator[str]:
    """Run a Prometheus over a directory that is not written to; yield its URL."""
    program = _program("prometheus")
    port = tools.free_port()
    config = data.parent / "prometheus.yml"
    config.write_text("{}\n", encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    log = (data.parent / "prometheus.log").open("ab")
    process = subprocess.Popen(
        [
            program, f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=3650d", "--query.max-samples=500000000", "--query.timeout=15m", "--log.level=warn",
        ],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        tools.wait_for(lambda: _ready(url), seconds=SECONDS_TO_START, what=f"Prometheus (see {log.name})")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


def query(url: str, expression: str, begin: int, end: int, step: int, answers: Path) -> list[dict[str, Any]]:
    """Return the series of a range query, as Prometheus' API has them. What was asked before is read from `answers`."""
    known = answers / hashlib.sha256(f"{expression} {begin} {end} {step}".encode()).hexdigest()[:16]
    if known.exists():
        return list(json.loads(known.read_text(encoding="utf-8")))
    found: dict[str, dict[str, Any]] = {}
    # Prometheus answers with at most 11000 points a series.
    for start in range(begin, end + 1, 10000 * step):
        form = {"query": expression, "start": start, "end": min(end, start + 9999 * step), "step": step}
        request = urllib.request.Request(f"{url}/api/v1/query_range", data=urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER) as answer:
            document = json.load(answer)
        for series in document["data"]["result"]:
            key = json.dumps(series["metric"], sort_keys=True)
            found.setdefault(key, {"metric": series["metric"], "values": []})["values"] += series["values"]
    known.write_text(json.dumps(list(found.values())), encoding="utf-8")
    return list(found.values())


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _promtool(*arguments: str) -> None:
    program = _program("promtool")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"promtool {' '.join(arguments[:3])}: {done.stderr.strip() or done.stdout.strip()}")


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(name, package="prometheus")
    return path
