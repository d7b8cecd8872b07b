"""The known name nearest to what a user wrote."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 100  # difflib is quadratic: an absurdly long name is near to none


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `name` was probably meant to be, or None where nothing is near."""
    if len(name) > _LONGEST:
        return None
    by_plain_name = {plain(candidate): candidate for candidate in known}
    matches = difflib.get_close_matches(plain(name), by_plain_name, n=1, cutoff=0.6)
    return by_plain_name[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest of `known`, or an empty text."""
    match = nearest(name, known)
    return f"; did you mean {match!r}?" if match else ""


def plain(name: str) -> str:
    """Return `name` as it compares: case, '-' and '.' do not tell names apart."""
    return name.lower().replace("-", "_").replace(".", "_")
