"""What a function is called in a series: bounded, stable from build to build, without lines and addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from runtime_exporter.profiling.profile import Frame

LONGEST_LABEL: Final = 120
"""Characters of a function's label; the middle of a longer name is left out, since its both ends tell it from others."""
UNKNOWN: Final = "<unknown>"
GC: Final = "gc"
IDLE: Final = "idle"
OTHER: Final = "other"
"""What no function may be called: `UNKNOWN` has no name, `GC` is the collector at work, `OTHER` is the rest."""

# CPython's collector calls the second at both ends of its work, which is where a sampler that needs the GIL sees it.
_COLLECTOR = ("runtime.gc", "runtime_exporter.collectors.gc:_pause_callback.")
_ADDRESS = re.compile(r"(?: at )?\b0x[0-9a-fA-F]+\b")
_INNERMOST_BRACKETS = re.compile(r"(?<=.)\[[^\[\]]+\]")
# Names of frames that only wait for somebody else: the site of a wait is the first frame that is none of these.
_WAITING = re.compile(
    r"(?:runtime|sync|sync/atomic|internal/sync|internal/poll|internal/runtime/\w+|runtime/internal/\w+|syscall)\."
    r"|(?:threading|_thread|queue|selectors|select|socket|ssl|time|asyncio\.locks|asyncio\.queues|multiprocessing\.\w+):"
)


def label(frame: Frame) -> str:
    """Return the label of a frame's function: `module:qualname`, or Go's name without type arguments; at most 120 characters.

    Functions of the garbage collector (Go's runtime.gc*, CPython's <GC>, and what of ours it calls) are one, `gc`. A lambda is
    told from its neighbours by the line it starts on, which is the only line number in a name.
    """
    return function_label(frame.name, frame.start_line)


def function_label(name: str, start_line: int) -> str:
    """Return the label of a function by its name and the line it starts on, as `label` tells."""
    if name.startswith(_COLLECTOR) or name == "<GC>":
        return GC
    if name.endswith("<lambda>") and start_line > 0:
        name = f"{name[:-1]}:{start_line}>"
    if "0x" in name:
        name = _ADDRESS.sub("", name)
    while "[" in name[1:] and (stripped := _INNERMOST_BRACKETS.sub("", name)) != name:
        name = stripped
    name = name.strip()
    if not name.isprintable():
        name = "".join(char if char.isprintable() else "?" for char in name)
    if len(name) > LONGEST_LABEL:
        half = LONGEST_LABEL // 2
        name = f"{name[:half]}…{name[1 - half :]}"
    return name or UNKNOWN


def waits(name: str) -> bool:
    """Return whether a function of this name is machinery of waiting, such as `threading:Condition.wait` or Go's `sync.`."""
    return _WAITING.match(name) is not None
