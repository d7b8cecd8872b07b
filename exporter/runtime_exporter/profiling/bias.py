"""How far a CPU profile can be believed: the share of its samples that may stand for another place."""

from __future__ import annotations

from typing import Final, Literal

Bias = Literal["none", "low", "high"]

LOW_BIAS: Final = 0.1
"""Share of samples that may be misplaced before a profile's leaves count as unreliable: the total variation distance from
the truth is at most this share, and 0.1 is where the samplers raise their flag (docs/recommendations.md)."""


def bias_risk(*, unbiased: bool, bias_ratio: float) -> Bias:
    """Return the risk that a CPU profile puts time on the wrong leaf.

    `bias_ratio` is the share of samples that were taken when a thread gave the GIL away and not when the sample was due.
    """
    if unbiased:
        return "none"
    return "low" if bias_ratio <= LOW_BIAS else "high"
