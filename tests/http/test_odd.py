"""What is compiled of requests does no harm: whatever a host, an application or a server does, it does as what is interpreted.

Each way is a process of its own, as hosts are, and prints what came of the same plans; `python tests/odd_requests.py 0 100000` asks more.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime_exporter.http import HTTPMetrics, WSGIMiddleware, wsgi
from tools import require_compiled

pytestmark = pytest.mark.skipif(wsgi.FREE_THREADED, reason="without a GIL nothing is compiled")

PROGRAMS = {"asgi": "odd_requests.py", "wsgi": "odd_environs.py"}
PLANS = 250


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
