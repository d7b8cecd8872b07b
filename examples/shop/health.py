"""What healthy means for the shop: its database answers, and no fault is switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime_exporter.web.health import Health

    from shop.service import Shop


def register(health: Health, shop: Shop) -> None:
    """Add the shop's checks to those of the exporter."""
