"""A Prometheus on loopback with a history in it, backfilled by promtool."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tools
from runtime_exporter.errors import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gauntlet.service import Series

# Everything in one block: nothing here is ever appended, and promtool reads its whole input once a block.
BLOCK = "12288h"
SECONDS_TO_START = 60
SECONDS_TO_ANSWER = 600


def write_openmetrics(path: Path, first: int, histories: Iterable[tuple[int, Iterable[Series]]]) -> int:
    """Write (offset in seconds of its scrapes, series) of each target from the minute `first` on; return the number of samples."""
    samples = 0
    with path.open("w", encoding="utf-8") as file:
        for offset, series in histories:
            for one in series:
                head = series_head(one.name, one.labels)
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


def series_head(name: str, labels: dict[str, str]) -> str:
    """Return the name and labels of a series, as they stand before its values in OpenMetrics."""
    escaped = {
        key: value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for key, value in labels.items()
    }
    pairs = ",".join(f'{key}="{value}"' for key, value in sorted(escaped.items()))
    return f"{name}{{{pairs}}} "


def backfill(metrics: Path, data: Path) -> None:
    """Make blocks of an OpenMetrics file in Prometheus' directory."""
    data.mkdir(parents=True, exist_ok=True)
    command = [_program("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    done = subprocess.run(
        [*command, f"--max-block-duration={BLOCK}", str(metrics), str(data)],
        # What it leaves behind when it is ended goes with the rest.
        env={**os.environ, "TMPDIR": str(data.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"promtool: {done.stderr.strip() or done.stdout.strip()}")


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
            "--storage.tsdb.retention.time=3650d", "--query.timeout=15m", "--log.level=warn",
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


def query(url: str, expression: str, begin: int, end: int, step: int) -> list[dict[str, Any]]:
    """Return the series of a range query, as Prometheus' API has them."""
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
    return list(found.values())


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(name, package="prometheus")
    return path
