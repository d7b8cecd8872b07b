"""The six faults of the demo: what is switched on in the shop, which alerts must tell, and where one sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Signal:
    """A number to look at while waiting: what it is, its PromQL, and how it is written."""

    name: str
    expr: str
    form: str
    scale: float = 1.0

    def text(self, value: float | None) -> str:
        """Return the value for people."""
        return f"{self.name} {self.form.format(value * self.scale) if value is not None else 'unknown'}"


@dataclass(frozen=True)
class Case:
    """One alert of one fault; a fault with several has a case for each, one after the other. `fault` and `settings` are the shop's words."""

    fault: str
    title: str
    story: str
    alert: str
    signal: Signal
    settings: Mapping[str, float] = field(default_factory=dict)
    function: str = ""
    """Whose fault it is: the messages must name this function, and the profile that they link to must show it. Empty: none."""


CASES = (
    Case(
        "memory-leak",
        "memory leak",
        "a cache that never forgets",
        "RuntimeMemoryLeakSuspected",
        Signal("resident memory", 'process_resident_memory_bytes{job="shop"}', "{:.0f} MB", 1e-6),
        {"entry_kilobytes": 600},
    ),
    Case(
        "cpu-heavy-order",
        "CPU spike",
        "orders that try every permutation",
        "RuntimeCpuSpike",
        Signal("CPU", 'rate(process_cpu_seconds_total{job="shop"}[5s])', "{:.2f} cores"),
        {"units": 9},
        "shop.faults:CpuHeavyOrder.try_every_permutation",
    ),
    Case(
        "thread-leak",
        "thread leak",
        "a worker per order that never ends",
        "RuntimeThreadLeakSuspected",
        Signal("threads", 'process_num_threads{job="shop"}', "{:.0f}"),
        {"per_order": 2},
    ),
    Case(
        "slow-search",
        "slow requests",
        "a search without an index",
        "RuntimeHttpLatencyHigh",
        Signal(
            "p95 of /search",
            "histogram_quantile(0.95, sum by (le) "
            '(rate(http_server_request_duration_seconds_bucket{job="shop",http_route="/search"}[5s])))',
            "{:.0f} ms",
            1000,
        ),
    ),
    Case(
        "slow-search",
        "regression",
        "the same, as the profiler sees it",
        "RuntimeProfileRegression",
        Signal(
            "threads that read every row",
            'sum(rate(profile_cum_seconds_total{job="shop",profile="wall",function="shop.faults:SlowSearch.read_every_row"}[5s]))',
            "{:.1f}",
        ),
        function="shop.faults:SlowSearch.read_every_row",
    ),
    Case(
        "garbage-cycles",
        "GC pressure",
        "requests that leave cycles behind",
        "RuntimeGcPressure",
        Signal(
            "time in GC",
            'sum without (generation) (rate(python_gc_duration_seconds_sum{job="shop"}[5s]))',
            "{:.0f} %",
            100,
        ),
        {"nodes": 50_000},
    ),
    Case(
        "errors",
        "5xx errors",
        "a payment provider that is down",
        "RuntimeHttpErrorBudgetBurn",
        Signal(
            "5xx answers",
            'sum(rate(http_server_request_duration_seconds_count{job="shop",http_response_status_code=~"5.."}[5s]))',
            "{:.1f}/s",
        ),
    ),
)

WATCHDOG = "Watchdog"
"""Fires always: its absence would mean that nobody watches."""
