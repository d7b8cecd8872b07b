"""What is compiled of requests does no harm: whatever a host, an application or a server does, it does as what is interpreted.

Each way is a process of its own, as hosts are, and prints what came of the same plans; `python tests/odd_requests.py 0 100000` asks more.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime_exporter.http import ASGIMiddleware, HTTPMetrics, WSGIMiddleware, wsgi
from runtime_exporter.metrics import workers
from tools import require_compiled
from workers_in_tests import samples

pytestmark = pytest.mark.skipif(wsgi.FREE_THREADED, reason="without a GIL nothing is compiled")

PROGRAMS = {"asgi": "odd_requests.py", "wsgi": "odd_environs.py"}
PLANS = 250
SECONDS = 2**-10
"""What each request takes that is counted while its process is killed: no sum of them is rounded."""
STATUS = "299"
"""That of these requests alone: other tests of this process have counted others, which its children inherit."""
KILLED = 12


@pytest.mark.parametrize("interface", PROGRAMS)
def test_who_is_asked_what_no_server_would_ask_does_the_same_compiled(interface):
    require_compiled(interface)
    command = [sys.executable, Path(__file__).parents[1] / PROGRAMS[interface], "0", str(PLANS)]
    told = [
        subprocess.run(
            command,
            env={**os.environ, "RUNTIME_EXPORTER_COMPILED": compiled},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.splitlines()
        for compiled in ("false", "true")
    ]
    assert PLANS == len(told[0])
    differing = [
        (interpreted, compiled) for interpreted, compiled in zip(*told, strict=True) if interpreted != compiled
    ]
    assert [] == differing[:1]


class Nothing:
    """Awaited, it is over at once."""

    def __await__(self):
        return iter(())


def answer_for_ever(directory, interface, answered):
    """Count requests in a directory that others read, each of which takes as long as the others, and say how many were counted."""
    workers.join(directory).at_work()
    now = 0.0
    metrics = HTTPMetrics(clock=lambda: now)

    def wsgi_app(_environ, start_response):
        nonlocal now
        now += SECONDS
        start_response(STATUS, [])
        return [b"x"]

    async def asgi_app(_scope, _receive, send):
        nonlocal now
        now += SECONDS
        await send({"type": "http.response.start", "status": STATUS})
        await send({"type": "http.response.body"})

    by_wsgi, by_asgi = WSGIMiddleware(wsgi_app, metrics), ASGIMiddleware(asgi_app, metrics)
    while True:
        if interface == "wsgi":
            by_wsgi({"REQUEST_METHOD": "GET"}, lambda *_: None)
        else:
            with pytest.raises(StopIteration):
                by_asgi({"type": "http", "method": "GET"}, None, lambda _: Nothing()).send(None)
        answered[0] += 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("interface", PROGRAMS)
def test_of_a_worker_that_is_killed_while_it_counts_no_request_is_half(tmp_path, interface):
    require_compiled(interface)
    merged = workers.Merged(tmp_path)
    counted = mmap.mmap(-1, 8)
    answered = memoryview(counted).cast("q")
    for _ in range(KILLED):
        before = answered[0]
        pid = os.fork()
        if pid == 0:
            try:
                answer_for_ever(tmp_path, interface, answered)
            finally:
                os._exit(1)
        try:
            while answered[0] < before + 100:  # while it counts, too
                _whole(samples(merged))
                time.sleep(random.uniform(0.0, 0.002))
        finally:  # it never ends by itself
            os.kill(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)[1]
        assert signal.SIGKILL == ended
        # The last one may be counted, and not have said so.
        assert answered[0] <= _whole(samples(merged)) <= answered[0] + KILLED


def _whole(found):
    """Return how many requests were counted, none of which may be half: what a reader sees of each series belongs together."""
    name = "http_server_request_duration_seconds_"
    # The label as a whole: another test has a route "/299".
    ours = {series: value for series, value in found.items() if f'http_response_status_code="{STATUS}"' in series}
    counts = {series: value for series, value in ours.items() if series.startswith(f"{name}count")}
    sums = {
        series.replace("_sum{", "_count{"): value for series, value in ours.items() if series.startswith(f"{name}sum")
    }
    assert sums == {series: value * SECONDS for series, value in counts.items()}
    return sum(counts.values())


def test_each_interpreter_of_a_process_counts_for_itself_and_ends_with_requests_in_flight():
    require_compiled("asgi")
    program = Path(__file__).parents[1] / "interpreters_that_count.py"
    asked = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=100)
    assert (0, ["20.0"] * 3, "") == (asked.returncode, asked.stdout.splitlines(), asked.stderr)


def test_whoever_has_got_the_call_of_a_middleware_calls_it_also_when_its_class_is_another_by_then():
    require_compiled("wsgi")

    def app(_environ, start_response):
        start_response("200 OK", [])
        return [b"x"]

    middleware = WSGIMiddleware(app, HTTPMetrics())
    for _ in range(3):
        middleware({"REQUEST_METHOD": "GET"}, lambda *_: None)
    call = middleware.__call__  # as a thread has it that is about to call
    assert middleware.__class__ is not WSGIMiddleware
    middleware.__class__ = WSGIMiddleware
    assert [b"x"] == call({"REQUEST_METHOD": "GET"}, lambda *_: None)
