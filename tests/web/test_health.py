"""A check says how it is; a broken or hanging one says so without holding anybody."""

from __future__ import annotations

import os
import threading

import pytest

import tools
from runtime_exporter.errors import ConfigError
from runtime_exporter.web.health import Health


def only(health):
    (result,) = health.report().results
    return result.status, result.reason


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, ("healthy", "")),
        (True, ("healthy", "")),
        (False, ("unhealthy", "")),
        ("degraded", ("degraded", "")),
        ("unhealthy", ("unhealthy", "")),
        ("replica is 40 s behind", ("degraded", "replica is 40 s behind")),
        (("unhealthy", "no disk"), ("unhealthy", "no disk")),
        (("healthy", 5), ("healthy", "5")),
        (("fine", "?"), ("unhealthy", "the check returned tuple")),
        (0, ("unhealthy", "the check returned int")),
        ("x" * 1000, ("degraded", "x" * 200)),
    ],
)
def test_what_a_check_returns_is_a_status_and_a_reason(returned, said):
    health = Health()
    health.add("it", lambda: returned)

    assert said == only(health)


@pytest.mark.parametrize("error", [ValueError("hunter2"), SystemExit(3), KeyboardInterrupt()])
def test_a_check_that_raises_is_unhealthy_and_tells_the_type_only(error):
    health = Health()

    @health.check("it")
    def check():
        raise error

    assert ("unhealthy", type(error).__name__) == only(health)


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ([], "healthy"),
        ([("healthy", True)], "healthy"),
        ([("healthy", True), ("degraded", True)], "degraded"),
        ([("unhealthy", False)], "degraded"),
        ([("unhealthy", True), ("degraded", True)], "unhealthy"),
    ],
)
def test_the_whole_is_as_its_worst_critical_part(checks, status):
    health = Health()
    for number, (said, critical) in enumerate(checks):
        health.add(str(number), lambda said=said: said, critical=critical)

    assert status == health.report().status


def test_checks_run_side_by_side_so_that_slow_ones_do_not_add_up():
    health = Health(timeout=30)
    meeting = threading.Barrier(5)
    for number in range(5):
        health.add(str(number), lambda: meeting.wait(20) >= 0)

    assert "healthy" == health.report().status  # which it is only if all five were there at the same time


def test_a_check_that_hangs_is_unhealthy_and_costs_one_thread_however_often_it_is_asked():
    health = Health(keep=0)
    over = threading.Event()
    calls = []
    health.add("stuck", lambda: calls.append(1) or (over.wait(60) and None), timeout=0.05)

    said = [only(health) for _ in range(5)]

    assert [("unhealthy", "no answer within 0.05 s")] * 5 == said
    assert [1] == calls
    over.set()
    tools.wait_for(lambda: only(health) == ("healthy", ""), what="recovery")


def test_a_report_is_kept_for_a_while_so_that_many_who_ask_cost_one_call():
    now = [0.0]
    calls = []
    health = Health(keep=1.0, clock=lambda: now[0])
    health.add("it", lambda: calls.append(1))

    health.report()
    now[0] = 0.9
    health.report()
    assert [1] == calls
    now[0] = 1.1
    health.report()
    assert [1, 1] == calls


def test_a_check_of_the_same_name_stands_in_the_place_of_the_earlier_and_can_be_removed():
    health = Health()
    health.add("it", lambda: False)
    health.add("it", lambda: True)
    assert ("healthy", "") == only(health)
    health.remove("it")
    health.remove("it")
    assert () == health.report().results


def test_a_coroutine_function_is_refused_as_its_coroutine_would_never_run():
    async def check():
        """Never awaited."""

    with pytest.raises(ConfigError, match="checks run on threads"):
        Health().add("it", check)


@pytest.mark.parametrize(("name", "function"), [("", print), ("it", None)])
def test_a_check_needs_a_name_and_a_function(name, function):
    with pytest.raises(ConfigError, match="a name and a function are needed"):
        Health().add(name, function)


def test_it_is_ready_once_started_and_while_no_critical_check_fails():
    health = Health(keep=0)
    assert "starting" == health.why_not_ready()
    health.started = True
    assert "" == health.why_not_ready()
    health.add("database", lambda: False)
    health.add("queue", lambda: False)
    health.add("cache", lambda: False, critical=False)
    assert "database, queue" == health.why_not_ready()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_a_check_that_hangs_in_its_parent():
    health = Health(timeout=0.05, keep=0)
    over = threading.Event()
    parent = os.getpid()
    health.add("it", lambda: over.wait(60) and None if os.getpid() == parent else None)
    assert "unhealthy" == only(health)[0]

    child = os.fork()
    if child == 0:
        health._checks["it"]._timeout = 20
        os._exit(0 if only(health)[0] == "healthy" else 1)
    _, status = os.waitpid(child, 0)  # at most 20 seconds: the child's own timeout
    over.set()
    assert 0 == os.waitstatus_to_exitcode(status)
