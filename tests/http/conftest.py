"""What the tests of the middleware share: a clock, the families of one test, and a look at one sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from runtime_exporter.http import HTTPMetrics, guard, wsgi, wsgi_django
from tools import require_compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Measured:
    """HTTPMetrics and what they show."""

    def __init__(self, **options) -> None:
        self.clock = Clock()
        self.metrics = HTTPMetrics(**{"clock": self.clock, "body_sizes": True, **options})
        self.registry = CollectorRegistry()
        for family in self.metrics.families:
            self.registry.register(family)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def requests(self) -> Mapping[tuple[str, str, str], int]:
        """How many requests were counted, by method, route and status."""
        return {
            tuple(
                sample.labels[name] for name in ("http_request_method", "http_route", "http_response_status_code")
            ): int(sample.value)
            for sample in self.samples("http_server_request_duration_seconds_count")
        }

    def seconds(self) -> float:
        """The sum of all durations."""
        return sum(sample.value for sample in self.samples("http_server_request_duration_seconds_sum"))

    def exceptions(self) -> Mapping[tuple[str, str], int]:
        """How many exceptions were counted, by route and type."""
        return {
            (sample.labels["http_route"], sample.labels["error_type"]): int(sample.value)
            for sample in self.samples("http_server_exceptions_total")
        }

    def active(self) -> float:
        """How many requests are active, of all methods."""
        return sum(sample.value for sample in self.samples("http_server_active_requests"))

    def sizes(self, which: str) -> float:
        """The sum of all body sizes of "request" or "response"."""
        return sum(sample.value for sample in self.samples(f"http_server_{which}_body_size_bytes_sum"))

    def samples(self, name: str):
        return [sample for family in self.registry.collect() for sample in family.samples if sample.name == name]


@pytest.fixture
def measured() -> Measured:
    return Measured()


@pytest.fixture
def make_measured() -> type[Measured]:
    return Measured


@pytest.fixture(autouse=True)
def _no_fault_of_ours(caplog) -> Iterator[None]:
    """A fault of ours is logged once in a process: forget it between tests, and fail the test that did not expect one."""
    guard._logged.clear()
    yield
    faults = [record.getMessage() for record in caplog.get_records("call") if record.name == "runtime_exporter.http"]
    expected = getattr(caplog, "expected_faults", 0)
    assert expected == len(faults), faults


@pytest.fixture(params=["interpreted", "compiled"])
def wsgi_way(request, monkeypatch) -> str:
    """Which of its ways the WSGI middleware goes with ordinary requests: each test that asks has both."""
    if request.param == "compiled":
        require_compiled("wsgi")
    else:
        monkeypatch.setattr(wsgi, "FASTEST", wsgi.WSGIMiddleware)
        monkeypatch.setattr(wsgi_django, "FASTEST", wsgi_django.DjangoMiddleware)
    return request.param
