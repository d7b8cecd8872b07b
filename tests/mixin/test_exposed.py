"""A user's own alert on a metric that is called as one of ours and is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import exposed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

KNOWN = {
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "runtime_exporter_series",
    "profile_leak_suspects",
}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"metric": "process_resident_memory_byte"},
            "X.metric: 'process_resident_memory_byte' reads process_resident_memory_byte, which nothing exposes; did you mean",
        ),
        ({"expression": "profile_leaks > 1"}, "reads profile_leaks, which nothing exposes"),
        ({"expression": "rate(process_cpu_second_total[5m]) > 1"}, "did you mean 'process_cpu_seconds_total'?"),
    ],
)
def test_what_looks_like_one_of_ours_has_to_be_one(spec: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        exposed.check({"X": spec}, KNOWN)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "spec",
    [
        {"metric": "process_cpu_seconds_total"},
        {"metric": "shop_orders_total"},
        {"metric": "process_virtual_memory_max_bytes"},
        {"expression": "up == 0 or instance:process_cpu_seconds:rate5m > 1"},
        {},
        None,
    ],
)
def test_a_metric_of_ones_own_is_nobodys_business(spec: dict[str, str] | None) -> None:
    exposed.check({"X": spec}, KNOWN)


def test_generate_says_the_line(tmp_path: Path, runtime_exporter: Callable[..., Result]) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(
        "customAlerts:\n  Big:\n    metric: process_resident_memory_byte\n    operator: '>'\n    threshold: 1\n"
    )
    said = runtime_exporter("generate", tmp_path / "out", "--config", path)
    assert (said.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert f"error: {path}:3: customAlerts.Big.metric: 'process_resident_memory_byte' reads" in said.stderr
