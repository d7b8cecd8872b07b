"""Evidence through the rules, in the order of causes, to recommendations: each cause once, the costly ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.catalogue import RULES
from runtime_exporter.profiling.advice.values import Claimed, Recommendation, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runtime_exporter.profiling.advice.values import Evidence, Finding, Number, Rule, Severity

LEAST_SAMPLES: Final = Threshold(
    "samples behind a CPU or wall profile",
    300,
    "count",
    "statistics: a share of 5 % is then known to about 2.5 points either way (95 %), a smaller sample only guesses",
)
LEAST_CORES: Final = Threshold(
    "CPU that the process uses, in cores",
    0.05,
    "ratio",
    "chosen: below a twentieth of a core there is nothing to save, whatever the shares",
)
_SAMPLED: Final = frozenset({"cpu", "wall"})
_ORDER: Final[dict[Severity, int]] = {"critical": 0, "warning": 1, "info": 2}


def suppressed(rule: Rule, evidence: Evidence) -> str:
    """Return why a rule may not speak on this evidence, whatever the profile says; empty when it may.

    Rules on facts alone are not subject to floors of a profile: a deadlocked process uses no CPU.
    """
    if rule.language not in {"any", evidence.language}:
        return f"a rule for {rule.language}"
    if evidence.age is not None and evidence.age < rule.least_age:
        return f"the process is {evidence.age:.0f} s old, less than {rule.least_age:.0f} s"
    return _floor(rule, evidence) if rule.kind else ""


def _floor(rule: Rule, evidence: Evidence) -> str:
    weights = evidence.profiles.get(rule.kind)
    if weights is None:
        return f"no {rule.kind} profile"
    if rule.kind in _SAMPLED and weights.samples < LEAST_SAMPLES.value:
        return f"{weights.samples} samples, fewer than {LEAST_SAMPLES.value:.0f}"
    return _cpu_floor(rule, evidence) if rule.kind == "cpu" else ""


def _cpu_floor(rule: Rule, evidence: Evidence) -> str:
    if evidence.bias == "high" and rule.needs_leaf:
        return "the profile is biased, and the rule rests on its leaves"
    cores = evidence.cpu_cores or 0.0
    return (
        f"the process uses {cores:.1%} of a core, less than {LEAST_CORES.value:.0%}"
        if cores < LEAST_CORES.value
        else ""
    )


def silenced(evidence: Evidence, rules: Sequence[Rule] = RULES) -> dict[str, str]:
    """Return the rules of this language that may not speak on this evidence, each with the reason."""
    reasons = {rule.name: suppressed(rule, evidence) for rule in rules if rule.language in {"any", evidence.language}}
    return {name: reason for name, reason in reasons.items() if reason}


def advise(evidence: Evidence, rules: Sequence[Rule] = RULES) -> tuple[Recommendation, ...]:
    """Return what the rules recommend on this evidence, most severe first, then by the bound of the gain.

    A stack that one rule explains is not counted by the rules after it, so that the bounds of one kind of time add up to at
    most all of it, and a caller and its callee are one recommendation.
    """
    found = _findings(evidence, rules)
    recommendations = [_recommendation(rule, finding, evidence) for rule, finding in found]
    return tuple(
        sorted(recommendations, key=lambda each: (_ORDER[each.severity], -(each.gain_upper_bound or 0.0), each.rule))
    )


def _findings(evidence: Evidence, rules: Iterable[Rule]) -> Iterator[tuple[Rule, Finding]]:
    claimed = Claimed()
    spoken: set[str] = set()
    causes: set[str] = set()
    for rule in rules:
        if suppressed(rule, evidence) or rule.yields_to & spoken:
            continue
        for finding in rule.judge(evidence, claimed):
            if finding.causes & causes:
                continue
            claimed = claimed.plus(finding.claims)
            causes |= finding.causes
            spoken.add(rule.name)
            yield rule, finding


def _recommendation(rule: Rule, finding: Finding, evidence: Evidence) -> Recommendation:
    doubtful = rule.kind == "cpu" and evidence.bias == "high"
    return Recommendation(
        rule=rule.name,
        title=rule.title,
        severity="info" if doubtful else finding.severity or rule.severity,
        target=finding.target,
        claim=finding.claim,
        evidence={**_circumstances(rule, evidence), **finding.evidence},
        gain_upper_bound=None if finding.gain is None else min(1.0, max(0.0, finding.gain)),
        gain_of=rule.gain_of,
        what_to_do=f"{finding.do} {rule.do}".strip(),
        how_to_verify=rule.verify,
        wrong_when=f"{_DOUBT if doubtful else ''}{rule.wrong}",
    )


_DOUBT: Final = "The profile is biased: it puts CPU where threads give the GIL away, so a share may be far off. "


def _circumstances(rule: Rule, evidence: Evidence) -> dict[str, Number]:
    circumstances: dict[str, Number] = {"window_seconds": evidence.window}
    weights = evidence.profiles.get(rule.kind) if rule.kind else None
    if weights is not None:
        circumstances |= {"profile": rule.kind, "samples": weights.samples, "total": weights.total}
        circumstances |= {"backend": evidence.backend or "unknown", "bias": evidence.bias}
    return circumstances
