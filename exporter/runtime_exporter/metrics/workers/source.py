"""What numbers can be taken from: the files of one process, or those of all that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from runtime_exporter.metrics.workers.life import Keys


class Source(Protocol):
    """`Life` or `Retired`."""

    keys: Keys
    values: tuple[Any, ...]
    """Every cell as a number."""
    raw: bytes
    """Every cell as its bytes."""

    def __hash__(self) -> int: ...
