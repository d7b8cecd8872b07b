"""Which reports there are, in the order in which they run and in which docs/performance.md tells of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item


@dataclass(frozen=True)
class Section:
    """A report, and what its part of the page says before the figures."""

    report: str
    """The module, benchmarks/<report>.py."""
    title: str
    text: str = ""
    """How it is measured and what is to be seen: Markdown, no figures."""

    def run(self, *, quick: bool) -> Iterator[Item]:
        """Yield what the report finds. It is imported only now: what it needs, no other report does."""
        found: Iterator[Item] = importlib.import_module(f"benchmarks.{self.report}").report(quick=quick)
        return found


SECTIONS = (
    Section("requests", "What a request pays"),
    Section("exposition", "What a scrape pays"),
    Section("startup", "What importing and starting costs"),
    Section("profiling", "What profiling costs, and how right it is"),
    Section("locks", "What a profiled lock costs"),
    Section("codec", "What reading and writing profiles costs"),
    Section("comparison", "What the comparison of profiles sees, and how often it cries wolf"),
    Section("shop", "What a service pays as a whole"),
)
REPORTS = {section.report: section for section in SECTIONS}
