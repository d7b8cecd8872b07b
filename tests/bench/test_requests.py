"""What a request pays: every candidate answers as the bare application does, and what is not there is named."""

from __future__ import annotations

import asyncio
from wsgiref.util import setup_testing_defaults

import pytest
from benchmarks.figures import Figure, Noise, Spread
from benchmarks.floors import FLOORS, WSGI_FLOORS
from benchmarks.instrumented import BY_HAND, MAKERS, OPENTELEMETRY, OURS, pair
from benchmarks.requests import GROUPS, Candidate, Group, _goals


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
    with Candidate(Group(app, app, 6), OURS, 2) as candidate:
        assert candidate.missing == ""
        bare, instrumented = candidate.ask(10)
    assert 0 < bare < 60
    assert 0 < instrumented < 60


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("BENCHMARK_PEERS", "")
    with Candidate(Group("asgi", "ASGI", 1), "aioprometheus", 1) as candidate:
        assert "aioprometheus" in candidate.missing


def test_a_goal_is_of_the_package_that_costs_least():
    def figure(peer, cost):
        return Figure("n", "µs", Spread.exactly(1), peer, Spread.exactly(cost), Spread.exactly(1 / cost), Noise(1, 1))

    group = Group("starlette", "Starlette", 1, ("dear", "cheap"), ("counts only",), by_hand=1 / 4, best=1 / 20)
    figures = {
        name: figure(name, cost) for name, cost in [(BY_HAND, 5), ("dear", 90), ("cheap", 30), ("counts only", 2)]
    }
    assert [(BY_HAND, 1 / 4), ("cheap", 1 / 20)] == [(goal.peer, goal.at_most) for goal in _goals(group, figures, None)]


def test_every_framework_of_the_promises_is_measured():
    assert set(MAKERS) == {group.app for group in GROUPS}
    assert {1, 4} == {group.threads for group in GROUPS}
    assert all(group.packaged or group.by_hand for group in GROUPS)
    assert OPENTELEMETRY in {name for group in GROUPS for name in group.packaged}
