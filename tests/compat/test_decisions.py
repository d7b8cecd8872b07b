"""The same histories, the same rules, three engines: each alert fires of the same processes at the same time."""

from __future__ import annotations

import json
import shutil

import pytest

from compat import decisions
from compat.programs import newer, newer_directory
from tools import require

# An evaluation more or less at a threshold, and one for a chain of recordings that is a step behind.
MINUTES_APART = 2
# A loaded machine takes long to make the histories.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ENGINES = ["a newer Prometheus", "vmalert"]


@pytest.fixture(scope="module")
def rules():
    return decisions.rules()


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    require("promtool", package="prometheus")
    return decisions.histories(tmp_path_factory.mktemp("histories"))


@pytest.fixture(scope="module")
def system(rules, histories, tmp_path_factory):
    """What the Prometheus of this machine decides."""
    require("prometheus", package="prometheus")
    return decisions.of_prometheus(rules, histories, tmp_path_factory.mktemp("system"))


@pytest.fixture(scope="module")
def newer_prometheus(rules, histories, tmp_path_factory):
    newer("promtool")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(newer_directory()), prepend=":")
        assert shutil.which("prometheus") == newer("prometheus")
        return decisions.of_prometheus(rules, histories, tmp_path_factory.mktemp("newer"))


@pytest.fixture(scope="module")
def vmalert(rules, histories, tmp_path_factory):
    return decisions.of_vmalert(rules, histories, tmp_path_factory.mktemp("vmalert"))


@pytest.fixture
def decided(request):
    return request.getfixturevalue({"vmalert": "vmalert"}.get(request.param, "newer_prometheus"))


def spoken_of(decided):
    """Return which alerts fire of which jobs."""
    labels = [json.loads(key) for key in decided]
    return {(each["alertname"], each.get("job")) for each in labels}


def test_leaks_a_spike_failing_and_slow_requests_and_a_dead_target_are_told_and_nothing_of_what_is_well(system):
    told = spoken_of(system)
    assert told >= {
        ("RuntimeMemoryLeakSuspected", "fault/leak 10 %/h/0"),
        ("RuntimeMemoryLeakSuspected", "fault/leak 2 %/h/0"),
        ("RuntimeCpuSpike", "fault/cpu spike/0"),
        ("RuntimeHttpErrorBudgetBurn", "fault/error burst/0"),
        ("RuntimeHttpLatencyHigh", "fault/latency step below 1 s/0"),
        ("RuntimeTargetDown", "fault/one of three answers no more/0"),
    }
    assert {job for _, job in told if not job.startswith("fault/")} == set()


@pytest.mark.parametrize("decided", ENGINES, indirect=True)
def test_another_engine_tells_of_the_same(system, decided):
    assert spoken_of(decided) == spoken_of(system)


@pytest.mark.parametrize("decided", ENGINES, indirect=True)
def test_another_engine_tells_it_at_the_same_time(system, decided):
    assert differences(system, decided) == {}


def differences(ours, theirs):
    """Return (what one has, what the other has) of each alert that only one has, or that begins or ends at another time."""
    return {
        key: (ours.get(key, []), theirs.get(key, []))
        for key in sorted({*ours, *theirs})
        if not alike(ours.get(key, []), theirs.get(key, []))
    }


def alike(ours, theirs):
    return len(ours) == len(theirs) and all(
        abs(mine - other) <= MINUTES_APART
        for one, two in zip(ours, theirs, strict=True)
        for mine, other in zip(one, two, strict=True)
    )


def test_an_alert_that_one_does_not_have_or_has_later_is_a_difference():
    ours = {"a": [(10, 20)], "b": [(10, 20)], "c": [(10, 20)]}
    theirs = {"a": [(12, 18)], "b": [(13, 20)], "d": [(1, 2)]}
    assert differences(ours, theirs) == {
        "b": ([(10, 20)], [(13, 20)]),
        "c": ([(10, 20)], []),
        "d": ([], [(1, 2)]),
    }
