"""The exporter's account of itself beside what an observer outside of a real process sees."""

import gzip

import pytest
from benchmarks.overhead import TOLERANCE, State, costs_in, look

from runtime_exporter.metrics import Counter, Gauge
from runtime_exporter.metrics.exposition import TEXT


def test_the_costs_are_read_out_of_an_exposition():
    seconds = Counter("runtime_exporter_cpu_seconds_total", "x", ["part"], registry=None)
    ratio = Gauge("runtime_exporter_overhead_ratio", "x", ["part"], registry=None)
    seconds.labels("scrape").inc(1.5)
    ratio.labels("web").set(0.002)
    body = TEXT.render([seconds, ratio])

    assert {"seconds": {"scrape": 1.5}, "ratio": {"web": 0.002}} == costs_in(body) == costs_in(gzip.compress(body))


def test_the_account_is_what_the_kernels_clocks_say_of_a_real_process():
    # In seconds, where the benchmark takes minutes: one look in three may fall on a moment that is out of step.
    looks = (look(State(20, 500, saturated=True, every=0.5), settle=0.5, seconds=3.0) for _ in range(3))
    seen = next((one for one in looks if 1 == pytest.approx(one.account / one.outside, abs=TOLERANCE)), None)

    assert seen is not None
    assert {"scrape", "web", "background"} <= seen.parts.keys()
