"""What the exposition asks of a family that it writes many lines at a time, wherever its values are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from runtime_exporter.metrics.family import format_float

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.blocks import Block
    from runtime_exporter.metrics.kept import Kept

Column = list[str]
"""The values of one line, child by child, as text."""


class Line(NamedTuple):
    """One sample that each child of a family has: its name, and the label that is its own (`le="0.1"`), if any."""

    name: str
    own: str = ""


class Described(Protocol):
    """What stands over the samples of a family."""

    name: str
    type: str
    documentation: str
    unit: str
    labelnames: tuple[str, ...]


class Source(ABC):
    """A family: its lines, and its values block by block."""

    family: Described
    kept: Kept
    one_line: bool
    """Whether a child has one line, apart from that of its creation."""
    created: bool
    """Whether the creation of its children is exposed."""

    @abstractmethod
    def lines(self) -> list[Line]:
        """Return the lines of each child, without that of its creation."""

    @abstractmethod
    def exemplified(self) -> bool:
        """Return whether a child may have exemplars."""

    @abstractmethod
    def blocks(self) -> Sequence[Block]:
        """Return the children as they are now."""

    @abstractmethod
    def read(self, block: Any) -> Any:
        """Return the numbers of a block as they are at one moment: what the other methods take."""

    def values(self, numbers: Any) -> bytes:
        """Return the value of each child, 8 bytes each: only asked for where there is one line."""
        raise NotImplementedError

    @abstractmethod
    def columns(self, numbers: Any) -> list[Column]:
        """Return the values of the lines; what comes after them is left out."""

    @abstractmethod
    def created_column(self, numbers: Any) -> Column:
        """Return when each child began."""

    def exemplars(self, child: Any) -> Iterable[tuple[int, Exemplar]]:  # noqa: ARG002 - for those that have some
        """Return the exemplars of a child, each with the place of its line."""
        return ()


def texts(values: Sequence[float]) -> Column:
    """Return numbers as both formats want them."""
    total = sum(values)
    if total - total:  # not zero: inf or nan is among them, or the sum overflows
        return [*map(format_float, values)]
    return [*map(repr, values)]
