"""Recommendations: what to change, with evidence, the bound of the gain, how to verify, and when it is wrong.

`advise(evidence)` is pure: profiles and facts in, recommendations out. docs/recommendations.md is written from the rules.
"""

from __future__ import annotations

from runtime_exporter.profiling.advice.catalogue import RULES
from runtime_exporter.profiling.advice.engine import advise, silenced
from runtime_exporter.profiling.advice.facts import Facts
from runtime_exporter.profiling.advice.values import Evidence, Recommendation, Rule
from runtime_exporter.profiling.advice.weights import Weights, weigh
from runtime_exporter.profiling.bias import bias_risk

__all__ = [
    "RULES",
    "Evidence",
    "Facts",
    "Recommendation",
    "Rule",
    "Weights",
    "advise",
    "bias_risk",
    "silenced",
    "weigh",
]
