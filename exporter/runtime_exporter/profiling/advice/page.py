"""docs/recommendations.md, written from the rules: `python -m runtime_exporter.profiling.advice.page > docs/recommendations.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.catalogue import RULES
from runtime_exporter.profiling.advice.engine import LEAST_CORES, LEAST_SAMPLES
from runtime_exporter.profiling.advice.share import Share
from runtime_exporter.profiling.bias import LOW_BIAS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runtime_exporter.profiling.advice.values import Rule, Threshold

_HEAD: Final = f"""\
# Recommendations

<!-- Written by `python -m runtime_exporter.profiling.advice.page`; a test holds it to the rules. -->

A recommendation says in one sentence what was seen, with its numbers, the samples and the sampler behind them, what it can bring at
most, what to do, how to check it, and when it is wrong. It is an offer to look, not a verdict.

## When all are silent

- Of a CPU or wall profile with fewer than **{LEAST_SAMPLES.value:.0f} samples** nothing is said ({LEAST_SAMPLES.source}).
- Of a CPU profile of a process that uses less than **{LEAST_CORES.value:.0%} of a core** nothing is said ({LEAST_CORES.source}).
- A **biased profile** (the thread sampler with more than {LOW_BIAS:.0%} of its samples taken where a thread gives the GIL away) silences
  the rules that rest on what a stack's leaf is; the others speak as `info` and say that the share may be far off.
- A stack that one rule explains is not counted by the rules after it, and a cause that was named is not named again. So the bounds of
  one kind of time add up to at most all of it. The order below is that order.

Rules on numbers of the process (memory, threads, the quota) are under none of these floors: a deadlocked process uses no CPU.

A share's finding is a warning from 10 % of the total and twice its threshold on, else `info`.
"""


def page(rules: Iterable[Rule] = RULES) -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *(line for rule in rules for line in _section(rule))]).rstrip() + "\n"


def _section(rule: Rule) -> Iterator[str]:
    yield from (f"## {rule.name}", "", f"{rule.title}. ({_facts(rule)})", "")
    yield f"- **Speaks when:** {rule.speaks}"
    yield f"- **Silent when:** {rule.silent}"
    yield f"- **Do:** {rule.do}"
    yield f"- **Verify:** {rule.verify}"
    yield f"- **Wrong when:** {rule.wrong}"
    if isinstance(rule.judge, Share):
        yield f"- **Functions:** {', '.join(f'`{pattern}`' for pattern in rule.judge.frames.patterns)}"
    yield from (f"- **Threshold:** {_threshold(each)}" for each in thresholds(rule))
    yield ""


def thresholds(rule: Rule) -> tuple[Threshold, ...]:
    """Return all numbers that decide whether a rule speaks, the one of its share included."""
    return (rule.judge.threshold, *rule.thresholds) if isinstance(rule.judge, Share) else rule.thresholds


def _facts(rule: Rule) -> str:
    language = {"python": "Python", "go": "Go", "any": "Python and Go"}[rule.language]
    source = f"{rule.kind} profile" if rule.kind else "numbers of the process"
    facts = [language, source, f"{rule.severity} at least", f"bound: {rule.gain_of}"]
    if rule.needs_leaf:
        facts.append("needs an unbiased profile")
    if rule.least_age:
        facts.append(f"process older than {rule.least_age:.0f} s")
    if rule.yields_to:
        facts.append(f"not after {', '.join(sorted(rule.yields_to))}")
    return "; ".join(facts)


def _threshold(threshold: Threshold) -> str:
    value = {
        "ratio": f"{threshold.value:.0%}",
        "seconds": f"{threshold.value:g} s",
        "bytes": f"{threshold.value / 1e6:g} MB",
        "count": f"{threshold.value:,.0f}",
    }[threshold.unit]
    return f"{threshold.what}: **{value}**. Source: {threshold.source}."


if __name__ == "__main__":
    sys.stdout.write(page())
