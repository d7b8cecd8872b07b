"""Does a series grow: Mann-Kendall's test and Theil-Sen's slope, which outliers and odd distributions do not impress.

Both look at all pairs of points, O(n^2): series longer than MAXIMUM_POINTS are thinned to medians of equal parts first.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAXIMUM_POINTS = 200
"""Points that are looked at: 200 are 19 900 pairs."""

FEWEST_POINTS = 4
"""With fewer the normal approximation of Mann-Kendall's S means nothing: not even a monotone series is unlikely (3! = 6)."""


@dataclass(frozen=True)
class Trend:
    """What a series did."""

    points: int
    """Points that were looked at."""
    z: float
    """Standard score of Mann-Kendall's S, positive when the series grows."""
    p: float
    """Chance of growth or decline as clear as this without any trend (two-sided)."""
    slope: float
    """Theil-Sen's slope, value per second."""
    low: float
    """Lower end of the confidence interval of the slope; not a number when there are too few points for one."""
    high: float
    """Upper end."""

    @property
    def grows(self) -> bool:
        """Whether even the lower end of the interval rises."""
        return self.low > 0


def trend(series: Sequence[tuple[float, float]], *, confidence: float = 0.99) -> Trend | None:
    """Return the trend of `series`, (unix seconds, value) in order of time; None for fewer than FEWEST_POINTS.

    Raises ValueError when a time does not rise.
    """
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(series)):
        raise ValueError("the times of a series must rise from each point to the next")
    points = thinned(series)
    if len(points) < FEWEST_POINTS:
        return None
    values = [value for _, value in points]
    score, deviation = mann_kendall(values)
    z = (score - math.copysign(1, score)) / deviation if score else 0.0  # the correction for continuity
    slopes = sorted(
        (later - earlier) / (end - begin)
        for index, (begin, earlier) in enumerate(points)
        for end, later in points[index + 1 :]
    )
    low, high = _interval(slopes, deviation, confidence)
    return Trend(
        points=len(points),
        z=z,
        p=math.erfc(abs(z) / math.sqrt(2)),
        slope=median(slopes),
        low=low,
        high=high,
    )


def mann_kendall(values: Sequence[float]) -> tuple[int, float]:
    """Return Mann-Kendall's S and its standard deviation without trend, corrected for ties.

    S is the number of pairs that rise less those that fall, Var(S) = (n(n-1)(2n+5) - sum over groups of t equal values of
    t(t-1)(2t+5))/18 (M. G. Kendall, Rank Correlation Methods, 4th ed. 1970, chapter 4; H. B. Mann, Econometrica 13 (1945) 245).
    """
    score, seen = 0, list[float]()
    for value in values:
        below, not_above = bisect.bisect_left(seen, value), bisect.bisect_right(seen, value)
        score += below - (len(seen) - not_above)
        seen.insert(not_above, value)
    n = len(values)
    ties = sum(t * (t - 1) * (2 * t + 5) for t in Counter(values).values())
    return score, math.sqrt((n * (n - 1) * (2 * n + 5) - ties) / 18)


def seconds_until(limit: float, value: float, slope: float) -> float:
    """Return how long it takes from `value` to `limit` at `slope` per second: 0 when it is there, infinite when it never is."""
    if value >= limit:
        return 0.0
    return (limit - value) / slope if slope > 0 else math.inf


def thinned(series: Sequence[tuple[float, float]], points: int = MAXIMUM_POINTS) -> list[tuple[float, float]]:
    """Return `series` as at most `points` points, each the median time and value of a part of (nearly) equal length."""
    if len(series) <= points:
        return [*series]
    bounds = [round(index * len(series) / points) for index in range(points + 1)]
    return [
        (median(time for time, _ in series[begin:end]), median(value for _, value in series[begin:end]))
        for begin, end in pairwise(bounds)
    ]


def _interval(slopes: Sequence[float], deviation: float, confidence: float) -> tuple[float, float]:
    """Return the slopes between which the true one is (P. K. Sen, J. Am. Statistical Association 63 (1968) 1379).

    Of N sorted slopes the ends are number (N - C)/2 and (N + C)/2 + 1, where C = z_(1-a/2) sqrt(Var(S)).
    """
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * deviation
    first, last = math.floor((len(slopes) - reach) / 2), math.ceil((len(slopes) + reach) / 2)
    if first < 1 or last >= len(slopes):
        return math.nan, math.nan
    return slopes[first - 1], slopes[last]
