"""Lays files under memory that is in use: `mmap` with MAP_FIXED, which the standard library does not offer.

Holders of a cell keep its address, so cells cannot move to where a file happens to be mapped; the file comes to them.
ctypes is imported when the first process joins, since it takes milliseconds and most processes never need it.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections import deque
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# PyDLL keeps the GIL during a call: nothing is counted between a copy and the exchange.
_LIBC: Final = ctypes.PyDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_LIBC.memmove.restype = ctypes.c_void_p
_LIBC.memmove.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

_FIXED: Final = 0x10  # <sys/mman.h> of Linux, the BSDs and macOS
_FAILED: Final = ctypes.c_void_p(-1).value
_READ_WRITE: Final = mmap.PROT_READ | mmap.PROT_WRITE
_ALONE: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


def lay_file(buffer: mmap.mmap, descriptor: int, offset: int) -> None:
    """Put a file in the place of the memory of `buffer`, which keeps its bytes, whoever writes into it meanwhile.

    The file must be reserved on its disk: a page that cannot be had later would kill the process. Raises OSError.
    """
    if not isinstance(buffer, mmap.mmap):  # a segment that had to move
        raise OSError(errno.ENOMEM, "its memory is of the heap, and cannot be exchanged")
    place, size = _address(buffer), len(buffer)
    with mmap.mmap(descriptor, size, mmap.MAP_SHARED, offset=offset) as file:
        copy = partial(_LIBC.memmove, _address(file), place, size)
        _check(_at_once(copy, _exchange(buffer, mmap.MAP_SHARED, descriptor, offset))[1])


def lay_nothing(buffer: mmap.mmap) -> None:
    """Put empty memory of this process alone in the place of what `buffer` shares with others. Raises OSError."""
    _check(_exchange(buffer, _ALONE)())


def lay_copy(buffer: mmap.mmap) -> None:
    """Put memory of this process alone in the place of a file, with the same bytes. Raises OSError."""
    place, size = _address(buffer), len(buffer)
    with mmap.mmap(-1, size, flags=_ALONE) as kept:
        away = partial(_LIBC.memmove, _address(kept), place, size)
        back = partial(_LIBC.memmove, place, _address(kept), size)
        _check(_at_once(away, _exchange(buffer, _ALONE), back)[1])


def _exchange(buffer: mmap.mmap, flags: int, descriptor: int = -1, offset: int = 0) -> Callable[[], Any]:
    return partial(_LIBC.mmap, _address(buffer), len(buffer), _READ_WRITE, flags | _FIXED, descriptor, offset)


def _at_once(*calls: Callable[[], Any]) -> deque[Any]:
    """Make all calls from C code, between which no other thread of this process comes."""
    return deque(map(methodcaller("__call__"), calls), len(calls))


def _address(buffer: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def _check(result: int | None) -> None:
    if result == _FAILED:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
