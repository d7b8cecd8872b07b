"""Applications of an unchanged program, given the middleware as their class makes them."""

from __future__ import annotations

import types

import pytest
from werkzeug.test import Client

from runtime_exporter.http import auto, default_metrics, metrics


@pytest.fixture
def unmade(monkeypatch):
    """A process whose HTTP metrics nobody has asked for."""
    monkeypatch.setattr(metrics._Default, "metrics", None)


class Flask:
    """As much of Flask's class as is changed."""

    def wsgi_app(self, _environ, start_response):
        start_response("200 OK", [])
        return [b"hello"]


def test_who_starts_at_the_first_request_still_decides_on_the_buckets(unmade):
    module = types.ModuleType("flask.app")
    module.Flask = type("Flask", (Flask,), {})
    auto.instrument(module, lambda: default_metrics(buckets=(1.0, 2.0)))

    assert b"hello" == Client(module.Flask().wsgi_app).get("/").get_data()

    duration = default_metrics().families[0]
    assert ["1.0", "2.0", "+Inf"] == [*next(iter(duration.family.children.values())).le]
