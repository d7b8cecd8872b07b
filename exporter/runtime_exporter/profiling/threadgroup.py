"""What threads with the same job are called: names without their numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Thread

# What threading gives a thread without a name: "Thread-7 (target)", and "Thread-7" to a subclass that overrides run().
DEFAULT_THREAD_NAME = re.compile(r"(?:Thread|Dummy)-\d+(?: \((?P<target>.+)\))?", re.DOTALL)
_UUID = re.compile(r"[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}", re.IGNORECASE)
# Part of a hash, an address: hexadecimal with a digit in it, too long to be a word.
_HEX_ID = re.compile(r"(?=[a-f]*\d)[\da-f]{6,}", re.IGNORECASE)
_SEPARATOR = re.compile(r"([\s_.:/#-]+)")
_DIGITS = re.compile(r"\d+")


def thread_group(thread: Thread) -> str:
    """Return what the threads with the same job have in common: the name without its numbers, or the target.

    "ThreadPoolExecutor-0_3" is of "ThreadPoolExecutor", "Thread-12 (handle)" of "handle", an unnamed thread of a subclass of
    the name of the class.
    """
    default = DEFAULT_THREAD_NAME.fullmatch(thread.name)
    if default is None:
        return without_numbers(thread.name)
    kind = type(thread).__name__
    return default["target"] or (kind if kind != "Thread" else "Thread")


def without_numbers(name: str) -> str:
    """Return `name` without numbers, identifiers in hexadecimal, and the separators that this leaves at the ends or doubled."""
    parts = _SEPARATOR.split(_UUID.sub("", name))
    words, separators = parts[::2], ["", *parts[1::2]]
    kept = [
        (separator, word)
        for separator, word in zip(separators, (_DIGITS.sub("", _HEX_ID.sub("", word)) for word in words), strict=True)
        if word
    ]
    text = "".join(separator + word for separator, word in kept)
    return text.lstrip(" _.:/#-") or "unnamed"
