"""`_created` samples, and the two functions and the variable that switch them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest


@pytest.fixture
def switched_on(library):
    library.enable_created_metrics()
    yield
    library.disable_created_metrics()


@pytest.mark.parametrize("kind", ["Counter", "Histogram", "Summary"])
def test_the_time_when_a_series_began_is_there_only_while_it_is_switched_on(library, switched_on, registry, kind):
    before = time.time()
    metric = getattr(library, kind)("m", "M.", ["a"], registry=registry)
    metric.labels("x")
    assert before <= registry.get_sample_value("m_created", {"a": "x"}) <= time.time()
    library.disable_created_metrics()
    assert registry.get_sample_value("m_created", {"a": "x"}) is None
    library.enable_created_metrics()
    assert registry.get_sample_value("m_created", {"a": "x"}) is not None


@pytest.mark.parametrize(("kind", "more"), [("Gauge", {}), ("Info", {}), ("Enum", {"states": ["on"]})])
def test_other_types_do_not_have_it(library, switched_on, registry, kind, more):
    getattr(library, kind)("m", "M.", registry=registry, **more)
    assert registry.get_sample_value("m_created") is None


def test_a_counter_that_is_reset_begins_again(library, switched_on, registry):
    counter = library.Counter("c", "C.", registry=registry)
    first = registry.get_sample_value("c_created")
    while time.time() == first:
        pass
    counter.reset()
    assert first < registry.get_sample_value("c_created") <= time.time()


def test_the_text_format_writes_it_as_a_gauge_of_its_own(library, switched_on, registry):
    library.Counter("c", "C.", registry=registry)
    lines = library.generate_latest(registry).decode().splitlines()
    assert lines[:4] == ["# HELP c_total C.", "# TYPE c_total counter", "c_total 0.0", "# HELP c_created C."]
    assert lines[4] == "# TYPE c_created gauge"
    assert lines[5].startswith("c_created 1")


@pytest.mark.parametrize(
    ("value", "there"), [("true", False), ("1", False), ("T", False), ("false", True), ("0", True)]
)
def test_the_variable_switches_it(library, value, there):
    code = (
        f"import {library.__name__} as library\n"
        "registry = library.CollectorRegistry()\n"
        "library.Counter('c', 'C.', registry=registry)\n"
        "print(registry.get_sample_value('c_created') is not None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PROMETHEUS_DISABLE_CREATED_SERIES": value},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == f"{there}\n"
