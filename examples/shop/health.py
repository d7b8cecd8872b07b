"""What healthy means for the shop: its database answers, and no fault is switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime_exporter.web.health import Health
    from shop.service import Shop


def register(health: Health, shop: Shop) -> None:
    """Add the shop's checks to those of the exporter."""

    @health.check("database")
    def database() -> bool:
        return bool(shop.product("1")["id"] == 1)  # raises, which is unhealthy, when there is no such row

    @health.check("faults", critical=False)
    def faults() -> str:
        active = shop.faults.active()
        return f"switched on: {', '.join(active)}" if active else "healthy"
