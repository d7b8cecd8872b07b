"""Windows of profiles whose truth is known, for the tests of the comparison."""

from __future__ import annotations

import random

from runtime_exporter.profiling.tally import Window, tally

MINUTE = 60.0
N = 1200


def window(shares, *, begin=0.0, n=N, cores=1.0, kind="cpu", **more):
    """A window with exactly these inclusive shares, on so many busy cores."""
    cum = {name: share * n for name, share in shares.items() if share}
    return Window(kind, begin, begin + MINUTE, float(n), cum, dict(cum), cores * MINUTE, **more)


def steady(shares, count, *, begin=0.0, **more):
    """A tally of so many equal windows, one after the other."""
    return tally([window(shares, begin=begin + index * MINUTE, **more) for index in range(count)])


def drawn(shares, count, seed, *, begin=0.0, n=N, variation=0.0):
    """A tally of windows drawn at random: shares vary by a gamma factor, samples are drawn one by one."""
    source = random.Random(seed)
    windows = []
    for index in range(count):
        cum = {}
        for name, share in shares.items():
            factor = source.gammavariate(1 / variation**2, variation**2) if variation else 1.0
            cum[name] = float(sum(source.random() < share * factor for _ in range(n)))
        windows.append(Window("cpu", begin + index * MINUTE, begin + (index + 1) * MINUTE, float(n), cum, cum, MINUTE))
    return tally(windows)
