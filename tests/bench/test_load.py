"""A process that is scraped in a hurry: a million samples, and a hundred scrapes at once, stay valid and bounded."""

import pytest
from benchmarks.load import (
    AT_ONCE,
    SAMPLES,
    at_once,
    descriptors_of,
    judged_by_promtool,
    judged_by_the_peer,
    malformed,
    scrape,
    watching,
)
from benchmarks.overhead import State, running

from tools import require, wait_for

MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"# HELP a b\n# TYPE a gauge\na 1\n", ""),
        (b'a{b="c\\"d",e="} 1"} 1.5e-07\na{b=""} +Inf\n', ""),
        (b"a 1\na{b=c} 1\n", "a{b=c} 1"),
        (b"a 1\nb", "b"),
        (b"a one\n", "a one"),
        (b'a{b="c"} 1', "no end of line at its end"),
    ],
)
def test_a_line_that_is_none_is_found(body, wrong):
    assert wrong == malformed(body)


def test_the_peer_finds_a_histogram_that_does_not_add_up():
    body = b'# TYPE a histogram\na_bucket{le="+Inf"} 2\na_count 3\na_sum 1\n'

    assert "a: the last bucket is not the count" == judged_by_the_peer(body)


def test_promtool_finds_what_is_no_exposition():
    require("promtool", package="prometheus")

    assert ("", True) == (judged_by_promtool(b"# HELP a b\n# TYPE a gauge\na 1\n"), bool(judged_by_promtool(b"a{ 1\n")))


@pytest.fixture(scope="module")
def program():
    with pytest.MonkeyPatch.context() as patch:
        # All of them new: what is kept for want of budget would be valid by itself.
        patch.setenv("RUNTIME_EXPORTER_OVERHEAD_BUDGET", "1.0")
        with running(State(10, 1_000, saturated=False)) as program:
            scrape(program.url)
            yield program


def counted(body):
    """All observations of the program, and all scrapes that were answered."""
    requests = scrapes = 0.0
    for line in body.splitlines():
        if line.startswith(b"shop_request_seconds_count"):
            requests += float(line.rpartition(b" ")[2])
        elif line.startswith(b"runtime_exporter_scrapes_total"):
            scrapes += float(line.rpartition(b" ")[2])
    return requests, scrapes


def test_a_million_samples_are_valid_and_never_go_back(program):
    with watching(program.pid) as most:
        clients = at_once(program.url, 4, times=16)
    answers = [answer for client in clients for answer in client]
    totals = [[counted(answer.body) for answer in client] for client in clients]

    assert SAMPLES <= sum(answer.samples for answer in answers)
    assert {200} == {answer.status for answer in answers}
    assert {""} == {malformed(body) for body in {answer.body for answer in answers}}
    assert totals == [sorted(client) for client in totals]
    assert "" == judged_by_the_peer(answers[-1].body)
    assert most.memory - most.before < 64 * MEGABYTE
    assert most.threads < 10 + 40


def test_promtool_has_nothing_against_it(program):
    require("promtool", package="prometheus")

    assert "" == judged_by_promtool(scrape(program.url).body)


def test_a_hundred_at_once_are_all_answered_and_leave_nothing_behind(program):
    before = descriptors_of(program.pid)
    with watching(program.pid) as most:
        answers = [answer for got in at_once(program.url, AT_ONCE) for answer in got]
    wait_for(lambda: descriptors_of(program.pid) <= before, what="the end of every connection")

    assert {200} == {answer.status for answer in answers}
    assert {""} == {malformed(body) for body in {answer.body for answer in answers}}
    assert most.threads < 10 + 40
    assert most.descriptors < before + 40
    assert most.memory - most.before < 64 * MEGABYTE
