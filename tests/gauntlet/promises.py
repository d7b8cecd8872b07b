"""How soon a fault is told, in minutes. What nobody promised in so many words is derived here, from what was, by a formula that is written down."""

from __future__ import annotations

HOUR = 60

# docs/detectors.md prints this below the table of faults.
FORMULAS = """\
How soon, as far as it is not one number for all:

- A leak (of memory, threads or goroutines) that grows 10 % an hour or more is told within 2 h, one of 2 % within 8 h, between them it lies on the line.
- Under teeth of a sawtooth a leak shows only where they begin again: one period more.
- New instances of a release may be warming up for 2 h: so much more. On the first day of a job there is no past: 8 h at any pace.
- Where restarts cut the line short, four lives, and at least 8 h.
- A leak of files is told while there are hours left: 4 h before the last is opened, and the half hour in which a line is seen.
- Threads that reach their limit are told 4 h before, or when half of them are there if that is later: three quarters of an hour after that.
- An error burst is told within 15 min; where requests are rare, once five can have failed: so much later.
- A slow burn is told once the first of the burn rates' windows holds enough failures (window x factor x budget / share of failures) and its `for` is over,
  a tenth and 10 min later for chance. The windows and factors are those of `alerts.httpErrorBudgetBurn` and `alerts.sloBudgetBurn` by default.
- Workers that die are told 5 min after the fourth time, one or many at once.
- Slower than last week by half, and by less than what is slow in itself: within 45 min of then. Far fewer requests than last week: within 30 min."""

# Long window, factor and `for` (minutes) of each burn rate, by default, for a budget over 30 days.
WINDOWS = ((60, 14.4, 2), (360, 6, 15), (1440, 3, 60), (4320, 1, 180))


def leak(an_hour: float) -> float:
    """10 % within 2 h, 2 % within 8 h, what lies between by their line."""
    return max(2.0, min(8.0, 8 - (an_hour - 0.02) / 0.08 * 6)) * HOUR


def restarted(hours: float) -> float:
    return max(8.0, 4 * hours) * HOUR


def exhausted(hours: float) -> float:
    """4 h before the limit is reached, `hours` from now, or when half of it is; the floor's window, the `for`, and a quarter of an hour more."""
    half = hours * 1.5 / 4  # from a fifth to a half, of the way from a fifth to all
    return max(hours - 4, half) * HOUR + 45


def deaths(pause: float) -> float:
    """The fourth time, if the pauses between them are a fifth longer; a scrape, an evaluation, and the minutes in between."""
    return 1.2 * pause * 3 + 5


def burst(share: float, rate: float) -> float:
    """15 min, and the time in which five of `rate` requests a second fail."""
    return 15 + 5 / (60 * rate * share)


def burn(share: float, budget: float = 0.001) -> float:
    """When the first window holds enough failures, its `for` is over, and a tenth and 10 min more for chance."""
    return min(
        1.1 * (window * factor * budget / share + hold) + 10
        for window, factor, hold in WINDOWS
        if share > 1.2 * factor * budget
    )
