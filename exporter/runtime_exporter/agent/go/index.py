"""The page /debug/pprof/ of a Go service: which profiles it has, and how much is in each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# A row of the table that net/http/pprof writes, with or without quotes.
_ROW: Final = re.compile(r"<td>(\d{1,18})</td>\s*<td><a href=['\"]?(\w+)\?debug=1['\"]?>")


def counts(page: bytes) -> Mapping[str, int]:
    """Return how many stacks, goroutines or threads each profile has, by its name; nothing for another page."""
    return {name: int(count) for count, name in _ROW.findall(page.decode("utf-8", "replace"))}
