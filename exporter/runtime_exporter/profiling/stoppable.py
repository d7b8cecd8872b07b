"""Whether tracing of allocations can be switched off again without a risk for the process."""

from __future__ import annotations

import sys
from typing import Final

UNSTOPPABLE: Final = (
    f"this Python ({'.'.join(map(str, sys.version_info[:3]))}) can crash when tracing is switched off while threads allocate"
    " (python/cpython#128679, mended in 3.12.9 and 3.13.2): the setting profile_heap traces from the start to the end instead"
)


def can_stop(version: tuple[object, ...] = tuple(sys.version_info)) -> bool:
    """Return whether tracemalloc.stop() is safe while other threads run: on CPython from 3.12.9, and from 3.13.2, on."""
    return (3, 12, 9) <= version < (3, 13) or version >= (3, 13, 2)
