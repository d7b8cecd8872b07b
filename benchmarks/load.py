"""What a scraper in a hurry gets, and what it costs: a million samples a minute out of one process, and a hundred scrapes at once.

The program is benchmarks/watched.py, in a process of its own. What every answer says is looked at as a whole: its lines by their form,
all of it by promtool and by prometheus_client's parser now and then.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import progress
from benchmarks.figures import Figure, Goal, Missing, Spread
from benchmarks.overhead import Program, State, running
from runtime_exporter.collectors.exporter import series_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item

SAMPLES = 1_000_000
"""Of a minute."""
AT_ONCE = 100
_STATE = State(10, 1_000, saturated=False)
_BUSY = State(10, 1_000, saturated=True)
_LOOK_SECONDS = 0.02
_BAD_LINE = re.compile(
    rb"^(?!# (?:HELP|TYPE) [a-z_]\w* .|"
    rb'[a-z_]\w*(?:\{[a-z_]\w*="(?:[^"\\\n]|\\.)*"(?:,[a-z_]\w*="(?:[^"\\\n]|\\.)*")*\})? (?:[-+]?[0-9][-+.e0-9]*|[-+]Inf|NaN)$).*$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Answer:
    """What a scraper got: the status, 0 where there was none, and the body as it was before it was compressed."""

    status: int
    body: bytes
    seconds: float
    age: float = 0.0
    """Seconds since the numbers were taken, as the answer says."""

    @property
    def samples(self) -> int:
        """How many there are."""
        return series_in(self.body) if self.status == 200 else 0


@dataclass
class Most:
    """The most that a process had at any moment."""

    before: int = 0
    memory: int = 0
    """Resident bytes."""
    threads: int = 0
    descriptors: int = 0
    looks: int = field(default=0, repr=False)


def scrape(url: str, *, timeout: float = 60.0) -> Answer:
    """Ask once, as Prometheus does."""
    begin = time.monotonic()
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            status, age, body = answer.status, answer.headers.get("Age", "0"), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, age, body = error.code, "0", error.read()
    except OSError:
        return Answer(0, b"", time.monotonic() - begin)
    return Answer(
        status, gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body, time.monotonic() - begin, float(age)
    )


def at_once(url: str, clients: int, times: int = 1) -> list[list[Answer]]:
    """Return what so many clients got that ask at the same moment, each so many times in a row."""
    start = threading.Barrier(clients)
    got: list[list[Answer]] = [[] for _ in range(clients)]

    def ask(answers: list[Answer]) -> None:
        start.wait(60)
        answers += [scrape(url) for _ in range(times)]

    threads = [threading.Thread(target=ask, args=(answers,)) for answers in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def malformed(body: bytes) -> str:
    """Return the first line of an exposition that is none, or what else is wrong with it; empty where nothing is."""
    found = _BAD_LINE.search(body)
    if found:
        return found[0][:200].decode(errors="replace")
    return "" if body.endswith(b"\n") else "no end of line at its end"


def judged_by_the_peer(body: bytes) -> str:
    """Return what prometheus_client's parser, or the histograms that it read, have against an exposition; empty for nothing."""
    try:
        families = list(text_string_to_metric_families(body.decode()))
    except ValueError as error:
        return str(error)
    for family in families:
        if family.type != "histogram":
            continue
        counts = {_key(sample): sample.value for sample in family.samples if sample.name.endswith("_count")}
        for sample in family.samples:
            if (
                sample.name.endswith("_bucket")
                and sample.labels["le"] == "+Inf"
                and sample.value != counts[_key(sample)]
            ):
                return f"{family.name}: the last bucket is not the count"
    return ""


def judged_by_promtool(body: bytes) -> str | None:
    """Return what promtool says of the form of an exposition, without its advice on names; None where it is not installed."""
    promtool = shutil.which("promtool")
    if promtool is None:
        return None
    done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False, timeout=120)
    # 3: the exposition is right, and there is advice.
    return "" if done.returncode in (0, 3) else (done.stdout + done.stderr).decode(errors="replace")[:500]


def _key(sample: object) -> tuple[tuple[str, str], ...]:
    labels: dict[str, str] = sample.labels  # type: ignore[attr-defined]
    return tuple(sorted((name, value) for name, value in labels.items() if name != "le"))


@contextmanager
def watching(pid: int) -> Iterator[Most]:
    """Look at a process all the time until the end of the block."""
    most, stop = Most(before=memory_of(pid)), threading.Event()

    def look() -> None:
        while not stop.wait(_LOOK_SECONDS):
            with suppress(OSError):
                most.memory = max(most.memory, memory_of(pid))
                most.threads = max(most.threads, len(os.listdir(f"/proc/{pid}/task")))  # noqa: PTH208 - often
                most.descriptors = max(most.descriptors, descriptors_of(pid))
                most.looks += 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


def memory_of(pid: int) -> int:
    """Return the resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors_of(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - often


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what a minute of a million samples is like, and what a hundred scrapes at once are, idle and busy."""
    if judged_by_promtool(b"") is None:
        yield Missing("promtool", "apt-get install prometheus")
    with running(_STATE) as program:
        yield from _a_minute(program, seconds=4.0 if quick else 30.0)
    for state in (_STATE, _BUSY):
        with running(state) as program:
            yield from _a_hundred(program, state, bursts=1 if quick else 5)


def _a_minute(program: Program, *, seconds: float) -> Iterator[Item]:
    url = f"{program.url}"
    once = scrape(url).samples
    pause = 60.0 * once / SAMPLES
    answers: list[Answer] = []
    with watching(program.pid) as most:
        began = due = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            progress.say(f"{now - began:.0f} of {seconds:.0f} s")
            time.sleep(max(0.0, due - now))
            answers.append(scrape(url))
            due += pause
        passed = time.monotonic() - began
    good = [answer for answer in answers if answer.status == 200]
    name = "samples a minute out of one process"
    yield Figure(name, "", Spread.exactly(60.0 * sum(answer.samples for answer in good) / passed))
    yield Goal(f"{SAMPLES:,} {name}", name, of="ours", at_least=0.99 * SAMPLES)
    yield from _validity(f"{name}: answers that are wrong", answers)
    yield Figure(f"{name}: an answer", "ms", Spread.of(1e3 * answer.seconds for answer in good), count=len(good))
    yield Figure(f"{name}: memory over that before", "MB", Spread.exactly((most.memory - most.before) / 1e6))
    older = sum(answer.age > 0 for answer in good)
    yield f"{once:,} samples every {pause:.2f} s; {older} of {len(good)} answers were kept ones, since new ones had no room in the budget, {max(answer.age for answer in good):.0f} s old at most"


def _a_hundred(program: Program, state: State, *, bursts: int) -> Iterator[Item]:
    url = f"{program.url}"
    scrape(url)
    answers: list[Answer] = []
    with watching(program.pid) as most:
        for burst in range(bursts):
            progress.say(f"{burst + 1} of {bursts}")
            answers += [answer for got in at_once(url, AT_ONCE) for answer in got]
    name = f"{AT_ONCE} scrapes at once, {'saturated' if state.saturated else 'idle'}"
    refused = sum(answer.status == 503 for answer in answers)
    lost = sum(answer.status not in (200, 503) for answer in answers)
    yield Figure(f"{name}: without an answer", "", Spread.exactly(lost))
    yield Goal(f"{name}: every client gets an answer, or a 503", f"{name}: without an answer", of="ours", at_most=0)
    yield from _validity(f"{name}: answers that are wrong", [one for one in answers if one.status != 503])
    yield Figure(f"{name}: an answer", "ms", Spread.of(1e3 * answer.seconds for answer in answers), count=len(answers))
    yield Figure(f"{name}: memory over that before", "MB", Spread.exactly((most.memory - most.before) / 1e6))
    yield f"{refused} of {len(answers)} were refused; at most {most.threads} threads and {most.descriptors} descriptors"


def _validity(name: str, answers: list[Answer]) -> Iterator[Item]:
    """Yield how many answers are no exposition: by their lines, and a few by promtool and the peer's parser."""
    found = {body: malformed(body) for body in {answer.body for answer in answers}}
    wrong = [answer.status != 200 or bool(found[answer.body]) for answer in answers]
    for place in {0, len(answers) // 2, len(answers) - 1}:
        body = answers[place].body
        wrong[place] = wrong[place] or bool(judged_by_the_peer(body) or judged_by_promtool(body))
    yield Figure(name, "", Spread.exactly(sum(wrong)), count=len(answers))
    yield Goal(f"{name}: none", name, of="ours", at_most=0)
