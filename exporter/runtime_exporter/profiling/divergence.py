"""How different two profiles are as a whole: one number for the shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def jensen_shannon(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Return the Jensen-Shannon distance of two sets of weights: 0 the same shares, 1 nothing in common.

    It is the square root of the divergence to base 2, which makes it a metric (Endres and Schindelin, IEEE Transactions
    on Information Theory 49 (2003) 1858). Weights are >= 0 and need not be normalised. Not a number when one side is empty.
    """
    one, two = math.fsum(left.values()), math.fsum(right.values())
    if one <= 0 or two <= 0:
        return math.nan
    parts = []
    for name in sorted(left.keys() | right.keys()):
        p, q = left.get(name, 0.0) / one, right.get(name, 0.0) / two
        middle = (p + q) / 2
        parts += [share * math.log2(share / middle) for share in (p, q) if share > 0]
    return math.sqrt(min(1.0, max(0.0, math.fsum(parts) / 2)))
