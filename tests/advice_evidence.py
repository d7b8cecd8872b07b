"""Evidence for tests of the advice: stacks of real workloads, run here or recorded, and what can be made of them."""

from __future__ import annotations

import functools
import gzip
import json
import subprocess
import sys
from pathlib import Path

from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.advice import Evidence, Facts, Weights, weigh
from runtime_exporter.profiling.profile import Frame

PROFILING = Path(__file__).parent / "profiling"
WORKLOADS = PROFILING / "workloads.py"
RECORDED = PROFILING / "recorded"
SAMPLES = 10_000
IMPORT = (
    Frame("_frozen_importlib:_find_and_load", "<frozen importlib._bootstrap>"),
    Frame("__main__:<module>", "/srv/main.py"),
)
HANDLER = Frame("shop.orders:handle", "/srv/shop/orders.py", 10, 5)


def weights(rows, kind="cpu"):
    """Weigh (stack, weight) so that they stand for SAMPLES samples and as many seconds."""
    total = sum(weight for _, weight in rows)
    return Weights(
        kind,
        tuple(tuple(Frame(*frame) for frame in stack) for stack, _ in rows),
        tuple(weight * SAMPLES / total for _, weight in rows),
        tuple(max(1, round(weight * SAMPLES / total)) for _, weight in rows),
    )


@functools.cache
def real(workload, kind="cpu", interpreter=sys.executable):
    """Run a workload of workloads.py and weigh the stacks of its calls."""
    command = [interpreter, str(WORKLOADS), workload]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "" == done.stderr
    return weights(json.loads(done.stdout), kind)


@functools.cache
def recorded(workload, kind="cpu"):
    """Weigh what workloads.py wrote where the library was installed; the file says which version."""
    document = json.loads(gzip.decompress((RECORDED / "python" / f"{workload}.json.gz").read_bytes()))
    frames = document["frames"]
    return weights([([frames[number] for number in stack], count) for stack, count in document["stacks"]], kind)


@functools.cache
def go(program, kind="cpu"):
    """Weigh a profile that a Go program wrote: recorded/go/main.go, Go 1.27.3."""
    return weigh(pprof.decode((RECORDED / "go" / f"{program}.{kind}.pb.gz").read_bytes()), kind)


def is_of(target, workload):
    """Return whether a target is the function of a workload: Python 3.10 has no qualified names, and so none of what it is within."""
    return workload in target or (target in {"__main__:handle", "__main__:<genexpr>"} and sys.version_info < (3, 11))


def python(cpu=None, *others, **about):
    profiles = {each.kind: each for each in (cpu, *others) if each is not None}
    about = {"window": 60.0, "backend": "signal", "facts": Facts(), **about}
    if "cpu" in profiles:
        about["window"] = profiles["cpu"].total  # one core busy
    return Evidence(language="python", profiles=profiles, **about)


def golang(*all_weights, **about):
    profiles = {each.kind: each for each in all_weights}
    window = profiles["cpu"].total if "cpu" in profiles else 10.0
    return Evidence(language="go", profiles=profiles, **{"window": window, "backend": "pprof", **about})


def facts(language="python", profiles=(), **known):
    return Evidence(
        language=language, window=60.0, profiles={each.kind: each for each in profiles}, facts=Facts(**known)
    )


def mixed(part, rest, share):
    """Return both with `part` having the given share of the total."""
    scaled = [(stack, value * share / part.total) for stack, value in zip(part.stacks, part.values, strict=True)]
    scaled += [(stack, value * (1 - share) / rest.total) for stack, value in zip(rest.stacks, rest.values, strict=True)]
    return weights(scaled, part.kind)


def only(part, keep):
    """Return the stacks that are kept."""
    places = sorted(part.places(keep))
    return weights([(part.stacks[place], part.values[place]) for place in places], part.kind)


def beneath(part, frames):
    """Return the stacks with frames added where they began."""
    return weights(
        [((*stack, *frames), value) for stack, value in zip(part.stacks, part.values, strict=True)], part.kind
    )


def without_functions_above(part, name):
    """Return the stacks with everything above the outermost frame of that name gone but the top of a module."""
    rows = []
    for stack, value in zip(part.stacks, part.values, strict=True):
        places = [place for place, frame in enumerate(stack) if frame.name == name]
        if places:
            rows.append(((*stack[: places[-1] + 1], IMPORT[1]), value))
    return weights(rows, part.kind)


def as_kind(part, kind):
    return Weights(kind, part.stacks, part.values, part.counts)
