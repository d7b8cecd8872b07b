"""Whether a function's inclusive share rose: a two-proportion test that knows that windows vary, and what it could have seen.

The model is Williams' extra-binomial variation (D. A. Williams, Applied Statistics 31 (1982) 144, model II): a window's
true share varies round p with variance s2, and of its n samples k are then drawn, so

    Var(k/n) = p(1-p)/n + s2        Var(K/N) = p(1-p)/N + s2 * A * sum(n^2)/N^2    with K = sum(k), N = sum(n).

s2 is the moment estimate from the spread of the windows round their side's mean (DerSimonian and Laird, Controlled
Clinical Trials 7 (1986) 177), never below 0. With windows of equal size it is the quasi-binomial test with dispersion
phi = sum((k-np)^2/(np(1-p)))/(W-1), floor 1; with unequal ones phi would be too small as soon as the process becomes
busier than its baseline (n grows and phi should grow with it), and that gives false alarms.
A is the loss from windows that resemble their neighbours: the variance of the mean of W values with lag-1 correlation r
over that of independent ones, (1+r)/(1-r) - 2r(1-r^W)/(W(1-r)^2).

The score compares cube roots, with the error carried over by the delta method: shares that vary in proportion to themselves
are skewed, like gamma variables, and their cube roots are not (Wilson and Hilferty, PNAS 17 (1931) 684). Without it a burst
counts for more than it should.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from runtime_exporter.profiling.tally import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runtime_exporter.profiling.tally import Sums, Tally

NORMAL = NormalDist()
MAXIMUM_CORRELATION = 0.95
"""Above this the estimate of the lag-1 correlation says no more than "windows are hardly independent"."""


@dataclass(frozen=True)
class Limits:
    """What makes a rise worth a word. `benchmarks/comparison.py` prints the false alarms and the power of these values."""

    score: float = 3.0
    """Least z of one comparison; persistence (votes of ballots) does the rest."""
    discoveries: float = 0.05
    """Benjamini-Hochberg's q across the functions of one comparison."""
    share: float = 0.01
    """A function is tested when it has this share on either side."""
    points: float = 0.005
    """Least rise of the share, absolute."""
    ratio: float = 0.2
    """Least rise of the share, relative to the share before."""
    votes: int = 3
    """A regression is confirmed by this many ..."""
    ballots: int = 5
    """... of this many last comparisons of windows that do not overlap."""
    power: float = 0.8
    """Chance with which one comparison sees a rise of the minimum detectable effect."""


@dataclass(frozen=True)
class Change:
    """What one function did between two tallies."""

    function: str
    before: float
    """Inclusive share, 0 to 1."""
    now: float
    z: float
    """Standard score of the rise, on the scale of cube roots (equivalent normal score of the t statistic)."""
    error: float
    """Standard error of now - before."""
    dispersion: float
    """Variance over the binomial one; 1 when windows vary no more than samples do."""
    delta_ratio: float
    """(now - before) / before; a function that was not seen before counts as half a sample there."""
    cost_ratio: float
    """Cost per request (or second) now over before; infinite when it cost nothing before."""
    detectable: float
    """Least rise of the share that one comparison sees with Limits.power, absolute."""

    @property
    def delta(self) -> float:
        """Rise of the share, absolute."""
        return self.now - self.before

    @property
    def detectable_ratio(self) -> float:
        """Least rise that one comparison sees with Limits.power, relative to the share before (or now, if that was 0)."""
        return self.detectable / (self.before or self.now) if self.before or self.now else math.inf


def changes(before: Tally, now: Tally, limits: Limits, also: Iterable[str] = ()) -> dict[str, Change]:
    """Return the change of every function that is tested, and of those of `also`; empty when one side has no samples."""
    if not before.samples or not now.samples:
        return {}
    tested = {
        name
        for side in (before, now)
        for name, sums in side.functions.items()
        if sums.samples >= limits.share * side.samples
    }
    freedom = max(1, before.windows + now.windows - 2)
    needed = student_score(critical_score(limits, len(tested)), freedom)
    per_request = bool(before.requests and now.requests)
    return {
        name: _change(name, before, now, limits, freedom, needed, per_request=per_request)
        for name in sorted(tested.union(also))
    }


def exceeding(found: Mapping[str, Change], limits: Limits) -> frozenset[str]:
    """Return the functions whose rise is beyond chance (z and Benjamini-Hochberg) and large enough to matter."""
    tested = [one for one in found.values() if max(one.before, one.now) >= limits.share]
    chances = {one.function: chance(one.z) for one in tested}
    discovered = benjamini_hochberg(chances, limits.discoveries)
    return frozenset(
        one.function
        for one in tested
        if one.function in discovered
        and one.z >= limits.score
        and one.delta >= limits.points
        and one.delta_ratio >= limits.ratio
    )


def benjamini_hochberg(chances: Mapping[str, float], q: float) -> frozenset[str]:
    """Return the names that are discoveries at false discovery rate `q` (Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289)."""
    ranked = sorted(chances.items(), key=lambda item: item[1])
    last = max((rank for rank, (_, p) in enumerate(ranked, 1) if p <= q * rank / len(ranked)), default=0)
    return frozenset(name for name, _ in ranked[:last])


def chance(z: float) -> float:
    """Return the chance of a score of `z` or more when nothing changed."""
    return 0.5 * math.erfc(z / math.sqrt(2))  # 1 - cdf(z) would lose all digits beyond z = 8


def critical_score(limits: Limits, tested: int) -> float:
    """Return the z that one function out of `tested` needs when it is the only one that changed."""
    return max(limits.score, NORMAL.inv_cdf(1 - limits.discoveries / max(tested, 1)))


def normal_score(t: float, freedom: float) -> float:
    """Return the normal score as unlikely as `t` with `freedom` degrees (Wallace, Annals of Math. Statistics 30 (1959) 1121)."""
    return math.copysign(_bend(freedom) * math.sqrt(freedom * math.log1p(t * t / freedom)), t)


def student_score(z: float, freedom: float) -> float:
    """Return the t that `normal_score` turns into `z`; infinite where a float does not hold it."""
    exponent = (z / _bend(freedom)) ** 2 / freedom
    return math.copysign(math.sqrt(freedom * math.expm1(exponent)), z) if exponent < 700 else math.copysign(math.inf, z)  # noqa: PLR2004 - exp(709) is the largest


def median_detectable_ratio(found: Iterable[Change], limits: Limits) -> float:
    """Return the relative rise that half of the tested functions would have shown; infinite when none was testable."""
    ratios = sorted(one.detectable_ratio for one in found if max(one.before, one.now) >= limits.share)
    return ratios[len(ratios) // 2] if ratios else math.inf


def inflation(correlation: float, windows: int) -> float:
    """Return the variance of the mean of `windows` values of a first-order autoregression over that of independent ones."""
    if windows < 2 or correlation <= 0:  # noqa: PLR2004 - one window has no neighbour
        return 1.0
    r, rest = correlation, 1 - correlation
    return (1 + r) / rest - 2 * r * (1 - r**windows) / (windows * rest**2)


def _bend(freedom: float) -> float:
    return (8 * freedom + 1) / (8 * freedom + 3)


def _change(
    name: str, before: Tally, now: Tally, limits: Limits, freedom: int, needed: float, *, per_request: bool
) -> Change:
    left, right = before.functions.get(name, NOTHING), now.functions.get(name, NOTHING)
    old, new = left.samples / before.samples, right.samples / now.samples
    pooled = (left.samples + right.samples) / (before.samples + now.samples)
    binomial = max(0.0, pooled * (1 - pooled))
    extra, correlation = _extra(((before, left), (now, right)), binomial, freedom)
    floor = binomial * (1 / before.samples + 1 / now.samples)
    variance = floor + extra * sum(
        inflation(correlation, side.windows) * side.squares / side.samples**2 for side in (before, now)
    )
    error = math.sqrt(variance)
    spent = before.cost(name, per_request=per_request)
    return Change(
        function=name,
        before=old,
        now=new,
        z=normal_score(_rise(old, new, pooled) / error, freedom) if error > 0 else 0.0,
        error=error,
        dispersion=variance / floor if floor > 0 else 1.0,
        delta_ratio=(new - old) / max(old, 0.5 / before.samples),
        cost_ratio=now.cost(name, per_request=per_request) / spent if spent > 0 else math.inf,
        detectable=_detectable(old, error, needed, limits),
    )


def _rise(old: float, new: float, pooled: float) -> float:
    """Return the rise of the cube root, stretched so that it is new - old for small rises."""
    return 3 * (_cube_root(new) - _cube_root(old)) * _cube_root(pooled) ** 2


def _detectable(share: float, error: float, needed: float, limits: Limits) -> float:
    """Return the rise that exceeds the needed score, and the least effect, with the chance `power`."""
    margin = NORMAL.inv_cdf(limits.power)
    rise = (needed + margin) * error
    if share > 0:  # `_rise` turned round, with the pooled share at the old one
        rise = share * ((1 + rise / (3 * share)) ** 3 - 1)
    return max(rise, max(limits.points, limits.ratio * share) + margin * error)


def _cube_root(share: float) -> float:
    return math.pow(share, 1 / 3)  # math.cbrt is of 3.11


def _extra(sides: tuple[tuple[Tally, Sums], ...], binomial: float, freedom: int) -> tuple[float, float]:
    """Estimate the variance of the true share between windows, and its correlation between adjacent windows."""
    spread = covariance = adjacent = room = 0.0
    for side, sums in sides:
        share = sums.samples / side.samples
        spread += max(0.0, sums.squares - share * sums.samples)
        room += side.samples - side.squares / side.samples
        covariance += sums.lagged - share * sums.crossed + share * share * side.adjacent
        adjacent += side.adjacent
    extra = max(0.0, spread - freedom * binomial) / room if room > 0 else 0.0
    if extra <= 0 or adjacent <= 0:
        return extra, 0.0
    return extra, min(MAXIMUM_CORRELATION, max(0.0, covariance / adjacent / extra))
