"""Amounts of time and memory as people write them, and shares of a whole."""

from __future__ import annotations

_SCALES = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "bytes": ((1024.0**3, "GiB"), (1024.0**2, "MiB"), (1024.0, "KiB"), (1.0, "B")),
}
_SMALLEST_MANTISSA = 2.0  # 1500 ms say more than 1.50 s


class Amounts:
    """Writes amounts of one unit in the same scale, so that a column can be compared at a glance."""

    def __init__(self, unit: str, largest: float) -> None:
        scales = _SCALES.get(unit, ((1.0, ""),))
        reached = (scale for scale in scales if abs(largest) >= _SMALLEST_MANTISSA * scale[0])
        self._divisor, self._symbol = next(reached, scales[-1])
        self._decimals = 0 if self._divisor == 1 and unit != "seconds" else 2

    def __call__(self, value: float, sign: str = "") -> str:
        """Return an amount with its unit; `sign` is + where a plus is to be seen, too."""
        if not value:
            return "0"
        return f"{value / self._divisor:{sign}.{self._decimals}f}{self._symbol}"


def percent(part: float, whole: float, sign: str = "") -> str:
    """Return what share of `whole` a part is; of nothing, every part is nothing."""
    return f"{part / whole * 100 if whole else 0.0:{sign}.2f}%"


def counted(number: int, thing: str) -> str:
    """Return how many there are of a thing, such as "1 sample" and "1,204 samples"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
