"""Several applications under one: who gets a request, and where each believes that it is."""

from __future__ import annotations

import pytest

from runtime_exporter.web.mount import mounted


def told(name):
    """An application that answers its name and what it is told of the place."""

    def application(environ, start_response):
        start_response("200 OK", [])
        return [name, environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")]

    return application


APP = mounted("/targets", {"shop": told("shop"), "api": told("api")}.get, told("otherwise"))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/targets/shop/metrics", ["shop", "/targets/shop", "/metrics"]),
        ("/targets/api/debug/pprof/heap", ["api", "/targets/api", "/debug/pprof/heap"]),
        ("/targets/shop/", ["shop", "/targets/shop", "/"]),
        ("/targets/shop", ["shop", "/targets/shop", "/"]),
        ("/targets/shop//x", ["shop", "/targets/shop", "//x"]),
        ("/targets/nobody/metrics", ["otherwise", "", "/targets/nobody/metrics"]),
        ("/targets/", ["otherwise", "", "/targets/"]),
        ("/targets", ["otherwise", "", "/targets"]),
        ("/targetsshop/metrics", ["otherwise", "", "/targetsshop/metrics"]),
        ("/shop/metrics", ["otherwise", "", "/shop/metrics"]),
        ("", ["otherwise", "", ""]),
    ],
)
def test_a_name_below_the_prefix_has_its_own_root_and_all_else_goes_to_the_other(path, answer):
    assert answer == APP({"PATH_INFO": path}, lambda *_: None)


def test_what_is_mounted_below_something_itself_stays_below_it():
    environ = {"SCRIPT_NAME": "/agent", "PATH_INFO": "/targets/shop/metrics"}
    assert ["shop", "/agent/targets/shop", "/metrics"] == APP(environ, lambda *_: None)
    assert "/targets/shop/metrics" == environ["PATH_INFO"]  # whoever asked goes on with it
