"""What a request pays: every candidate answers as the bare application does, and what is not there is named."""

from __future__ import annotations

import asyncio
from contextlib import closing
from wsgiref.util import setup_testing_defaults

import pytest
from benchmarks import requests as report
from benchmarks.figures import Figure, Missing, Noise, Spread
from benchmarks.floors import FLOORS, WSGI_FLOORS
from benchmarks.instrumented import BY_HAND, INTERPRETED, MAKERS, OPENTELEMETRY, OURS, pair
from benchmarks.requests import GROUPS, Candidate, Group, Load, _goals, _rounds, _start
from benchmarks.turns import Told

from runtime_exporter.settings.sources import COMPILED_VARIABLE


@pytest.mark.parametrize("app", [app for app in MAKERS if "django" not in app])  # whose settings are a process's
@pytest.mark.parametrize("candidate", [OURS, BY_HAND])
def test_a_candidate_answers_as_the_bare_application_does_and_counts_the_last_of_its_routes(
    app, candidate, monkeypatch
):
    from runtime_exporter.http import metrics

    made = []
    original = metrics.HTTPMetrics.__init__

    def init(self, **options):
        original(self, **options)
        made.append(self)

    monkeypatch.setattr(metrics.HTTPMetrics, "__init__", init)
    bare, instrumented, drive = pair(app, candidate, 3)
    drive(bare, 2, 3)
    drive(instrumented, 4, 3)  # one has been sent by who made it
    if candidate == OURS:
        counted = {values[1]: child.counts()[-1] for values, child in made[0].families[0].family.children.items()}
        route = {"flask": "/items2/<item>", "starlette": "/items2/{item}", "fastapi": "/items2/{item}"}.get(
            app, "unmatched"
        )
        assert {route: 5} == counted


@pytest.mark.parametrize("app", ["asgi", "starlette", "fastapi"])
@pytest.mark.parametrize("floor", FLOORS)
def test_what_counts_nothing_answers_as_the_bare_application_does(app, floor):
    async def answer(application):
        said = []

        async def send(message):
            said.append(message)

        path = "/items2/1"
        await application(
            {
                "type": "http",
                "method": "GET",
                "path": path,
                "root_path": "",
                "query_string": b"",
                "headers": [],
                "asgi": {"version": "3.0"},
            },
            None,
            send,
        )
        return said

    bare, instrumented, _ = pair(app, floor, 3)
    expected = asyncio.run(answer(bare))
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in expected]
    assert expected[0]["status"] == 200
    assert expected == asyncio.run(answer(instrumented))


@pytest.mark.parametrize("app", ["wsgi", "flask"])
@pytest.mark.parametrize("floor", WSGI_FLOORS)
def test_what_counts_nothing_of_wsgi_answers_as_the_bare_application_does_and_closes_its_body(app, floor):
    def answer(application):
        request, said = {"PATH_INFO": "/items2/1"}, []
        setup_testing_defaults(request)
        body = application(request, lambda *start: said.append(start))
        said.append(b"".join(body))
        if hasattr(body, "close"):
            body.close()
        return said

    bare, instrumented, _ = pair(app, floor, 3)
    expected = answer(bare)
    assert (expected[0][0], expected[1]) == ("200 OK", b"ok")
    assert expected == answer(instrumented)


@pytest.mark.parametrize("app", ["wsgi", "django", "django-asgi"])
def test_a_candidate_in_a_process_of_its_own_says_what_either_application_took(app):
    with closing(Candidate(app, OURS, Load(6, routes=2))) as candidate:
        _start([candidate])
        assert candidate.missing == ""
        told = candidate.ask(10)
    assert 0 < told.bare < 60
    assert -1 < told.more < 60


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("BENCHMARK_PEERS", "")
    with closing(Candidate("asgi", "aioprometheus", Load(1))) as candidate:
        _start([candidate])
        assert "aioprometheus" in candidate.missing


class Scripted:
    """A candidate that adds a share of what its bare application takes, on a machine that is as slow as it is told to be."""

    def __init__(self, share, missing=""):
        self.share, self.missing, self.starts = share, missing, 0

    def start(self):
        self.starts += 1

    def wait(self):
        pass

    def ask(self, turns):
        assert turns == 7
        return Told(1e-6 * (1 + self.starts), self.share)


def test_what_a_candidate_adds_is_its_share_of_what_the_bare_application_takes_in_that_round():
    candidates = {"ours": Scripted(0.5), "peer": Scripted(2.0), "gone": Scripted(0, "no module")}
    added = _rounds(candidates, dict.fromkeys(candidates, 7), report._LIFE + 1)
    assert {"ours", "peer"} == added.keys()
    assert [1e-6] * report._LIFE + [1.5e-6] == added["ours"]
    assert [4e-6] * report._LIFE + [6e-6] == added["peer"]
    assert [2, 2, 0] == [one.starts for one in candidates.values()]


def test_a_goal_is_of_the_package_that_costs_least():
    def figure(peer, cost):
        return Figure("n", "µs", Spread.exactly(1), peer, Spread.exactly(cost), Spread.exactly(1 / cost), Noise(1, 1))

    load = Load(1, routes=100)
    group = Group("starlette", "Starlette", (load,), ("dear", "cheap"), ("counts only",), by_hand=1 / 4, best=1 / 20)
    figures = {
        name: figure(name, cost) for name, cost in [(BY_HAND, 5), ("dear", 90), ("cheap", 30), ("counts only", 2)]
    }
    goals = [*_goals(group, load, figures, None)]
    assert [(BY_HAND, 1 / 4), ("cheap", 1 / 20)] == [(goal.peer, goal.at_most) for goal in goals]
    assert f"Starlette: at most 1/4 of what {BY_HAND} costs" == goals[0].text
    assert f"Starlette, 100 routes: at most 1/4 of what {BY_HAND} costs" == next(_goals(group, load, figures, 100)).text
    assert next(_goals(group, Load(1), figures, 1)).text.startswith("Starlette, 1 route: ")


def test_every_framework_of_the_promises_is_measured():
    assert set(MAKERS) == {group.app for group in GROUPS}
    assert {1, 4} == {load.threads for group in GROUPS for load in group.loads}
    assert {1, 100} == {load.routes for group in GROUPS for load in group.loads}
    assert all(group.packaged or group.by_hand for group in GROUPS)
    assert OPENTELEMETRY in {name for group in GROUPS for name in group.packaged}


@pytest.mark.parametrize(("name", "switch"), [(OURS, None), (INTERPRETED, "false")])
def test_only_what_is_not_compiled_is_kept_from_compiled_code(name, switch, monkeypatch):
    monkeypatch.delenv(COMPILED_VARIABLE, raising=False)
    given = []
    monkeypatch.setattr(report.subprocess, "Popen", lambda *_, env, **__: given.append(env.get(COMPILED_VARIABLE)))
    Candidate("asgi", name, Load(1)).start()
    assert given == [switch]


def test_a_report_says_first_which_compiled_code_is_not_there(monkeypatch):
    monkeypatch.setattr(report.compiled, "absent", {"_asgi": "No module named _asgi"})
    assert next(report.report(quick=True)) == Missing("what is compiled (_asgi)", "No module named _asgi")
