"""Anomaly bands over sixteen days of a real Prometheus' data: quiet services stay quiet, faults of each kind are told soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tools
from gauntlet import bands

if TYPE_CHECKING:
    from gauntlet.bands import Verdict

FAULTS = ("no orders for an hour", "gone for an hour", "three times as many for an hour")
# Without noise of their own kind: what even a band that was made badly gets right says nothing.
QUIET = ("usual", "few orders")


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, Verdict]:
    tools.require("promtool", package="prometheus")
    tools.require("prometheus", package="prometheus")
    drawn = [*bands.quiet(1), *bands.faults(1)]
    services = [each for each in drawn if each.job.partition("/")[0] in (*QUIET, *FAULTS)]
    only = {"robust": bands.BANDS["robust"]}
    fired = bands.firings(services, tmp_path_factory.mktemp("bands"), only)
    return {verdict.orders.job.partition("/")[0]: verdict for verdict in bands.judge(services, fired, only)}


@pytest.mark.parametrize("kind", QUIET)
def test_a_quiet_service_is_not_told_of(verdicts, kind):
    assert verdicts[kind].false == ()


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_told_within_half_an_hour_and_nothing_else_is(verdicts, kind):
    verdict = verdicts[kind]
    assert verdict.delay is not None
    assert verdict.delay <= bands.SOON
    assert verdict.false == ()
