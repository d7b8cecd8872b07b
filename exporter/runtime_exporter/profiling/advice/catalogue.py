"""All rules, in the order of causes: what an earlier one explains, or names as the cause, a later one does not repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice import (
    concurrency,
    event_loop,
    go_code,
    go_gc,
    go_runtime,
    go_setup,
    memory,
    python_data,
    python_gc,
    python_overhead,
)

if TYPE_CHECKING:
    from runtime_exporter.profiling.advice.values import Rule

RULES: Final[tuple[Rule, ...]] = (
    *go_gc.RULES,
    *go_code.RULES,
    *go_runtime.RULES,  # before the quota's: a GOMAXPROCS above the quota is why it throttles
    *go_setup.RULES,
    *concurrency.RULES,  # before the event loop's: a throttled loop is late for nobody's fault
    *event_loop.RULES,
    *python_gc.RULES,
    *python_overhead.RULES,
    *python_data.RULES,
    *memory.RULES,
)
OF_PROFILES: Final = tuple(rule for rule in RULES if not rule.of_one_process)
"""Those that several processes can be asked of at once, see `Rule.of_one_process`."""
RULE_NAMES_OF_PROFILES: Final = frozenset(rule.name for rule in OF_PROFILES)
