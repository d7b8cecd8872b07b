"""One service with several workers, which are one target: how they come and go while it is well. Nothing may be said of that."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gauntlet import curves
from gauntlet.cases import DAY, HOUR, Case, Draw
from gauntlet.service import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gauntlet.service import Process


def ends(draw: Draw, **times: Iterable[int]) -> dict[str, list[float]]:
    """Return how many workers ended in each minute: `left=[7, 7]` are two in the minute 7."""
    counts = {how: Counter(times.get(how, ())) for how in ("left", "died", "unknown")}
    return {how: [float(count[minute]) for minute in range(draw.minutes)] for how, count in counts.items()}


def again(draw: Draw, begin: float, end: float, pause: float) -> list[int]:
    """Return minutes between two others, about `pause` apart."""
    found, at = [], begin
    while at < end:
        found.append(int(at))
        at += pause * draw.within(0.8, 1.2)
    return found


def of_workers(process: Process, lives: list[list[int]], curve: Callable[[list[int]], curves.Curve]) -> Process:
    """Let the memory be that of all: each worker's by the minutes in which it began anew, in which another takes its place."""
    process.workers = [Worker(births) for births in lives]
    each = [curve(births) for births in lives]
    process.memory = curves.times(process.memory, [sum(minute) / len(each) for minute in zip(*each, strict=True)])
    return process


def warming(draw: Draw, low: float, high: float) -> Callable[[list[int]], curves.Curve]:
    tau, missing = draw.within(5, 60), draw.within(low, high)
    return lambda births: curves.warm_up(draw.minutes, births, tau=tau, missing=missing)


def recycled(draw: Draw) -> Case:
    """`max_requests`: each worker grows, leaves, and begins anew, one after the other."""
    pause, height = draw.within(20, 120), draw.within(0.1, 0.5)
    lives = [again(draw, draw.within(0, pause), draw.minutes, pause) for _ in range(draw.rng.randrange(4, 17))]
    process = draw.process(ended=ends(draw, left=[minute for births in lives for minute in births]))
    return draw.case(
        of_workers(process, lives, lambda births: curves.of_age(draw.minutes, births, height * HOUR / pause))
    )


def reloaded(draw: Draw) -> Case:
    """Releases by HUP, one taken back soon after: the old workers leave; those whose connections do not end are killed a minute later."""
    count, first = draw.rng.randrange(2, 17), draw.minute(8, 20)
    deploys = [first, first + int(draw.within(10, 40)), draw.minute(26, 42)]
    hang = [draw.rng.randrange(count + 1) for _ in deploys]
    left = [at for at, hung in zip(deploys, hang, strict=True) for _ in range(count - hung)]
    died = [at + 1 for at, hung in zip(deploys, hang, strict=True) for _ in range(hung)]
    process = draw.process(ended=ends(draw, left=left, died=died))
    of_workers(process, [deploys] * count, warming(draw, 0.1, 0.4))
    # For as long as the old ones end, both are there.
    both = curves.bursts(draw.minutes, deploys, 2, 1.6)
    process.memory, process.threads = curves.times(process.memory, both), curves.times(process.threads, both)
    return draw.case(process)


def scaled(draw: Draw) -> Case:
    """As many workers as the load needs: more by day, and by night they are taken away. Some end without a word."""
    process, most = draw.process(amplitude=draw.within(0.4, 0.7)), draw.rng.randrange(8, 33)
    peak = max(process.load)
    counts, left, unknown = [most], [], []
    for minute, load in enumerate(process.load):
        wanted = max(1, round(most * load / peak))
        # One at a time down, and only where two are too many: else it would never come to rest.
        fewer = counts[-1] - wanted > 1
        (left if draw.rng.random() < 0.8 else unknown).extend([minute] * fewer)
        counts.append(max(wanted, counts[-1] - fewer))
    process.ended = ends(draw, left=left, unknown=unknown)
    process.workers = [
        Worker(
            [minute for minute in range(draw.minutes) if counts[minute] <= number < counts[minute + 1]],
            frozenset(minute for minute in range(draw.minutes) if counts[minute + 1] <= number),
        )
        for number in range(most)
    ]
    share = [count / most for count in counts[1:]]
    process.memory, process.threads = curves.times(process.memory, share), curves.times(process.threads, share)
    return draw.case(process)


def killed_for_memory(draw: Draw) -> Case:
    """Now and then the kernel kills a worker, up to three within an hour: others take their place, and that was it."""
    starts = again(draw, draw.minute(2, 6), draw.minutes - HOUR, draw.within(4, 9) * HOUR)
    died = [start + int(draw.within(0, 50)) for start in starts for _ in range(draw.rng.randrange(1, 4))]
    lives: list[list[int]] = [[] for _ in range(draw.rng.randrange(2, 9))]
    for minute in sorted(died):
        draw.rng.choice(lives).append(minute)
    process = draw.process(ended=ends(draw, died=died))
    return draw.case(of_workers(process, lives, warming(draw, 0.2, 0.6)))


def killed_together(draw: Draw) -> Case:
    """All at once, as a control group is killed; a server started anew finds the directory and counts on. Once more within the hour."""
    at, count = draw.minute(10, 40), draw.rng.randrange(4, 33)
    blows = [at, at + int(draw.within(15, 50))]
    process = draw.process(ended=ends(draw, died=[blow for blow in blows for _ in range(count)]))
    process.dark = {blow - 1 for blow in blows}
    return draw.case(of_workers(process, [blows] * count, warming(draw, 0.1, 0.4)))


def killed_nightly(draw: Draw) -> Case:
    """By whoever thinks that it needs that: one worker, or each of them."""
    at, count = draw.minute(0, 24), draw.rng.randrange(2, 17)
    nights, whole = list(range(at, draw.minutes, DAY)), draw.rng.random() < 0.5
    lives = [nights if whole or number == 0 else [] for number in range(count)]
    process = draw.process(ended=ends(draw, died=[minute for births in lives for minute in births]))
    return draw.case(of_workers(process, lives, warming(draw, 0.1, 0.4)))


# As in quiet.py: recipe, how many of it, and what else to know of it.
PREFORKED: dict[str, tuple[Callable[[Draw], Case], int, dict[str, object]]] = {
    "workers, recycled": (recycled, 3, {}),
    "workers, reloaded": (reloaded, 3, {}),
    "workers, as many as needed": (scaled, 2, {}),
    "workers, killed for memory": (killed_for_memory, 2, {}),
    "workers, killed together": (killed_together, 1, {}),
    "workers, killed nightly": (killed_nightly, 2, {}),
}
