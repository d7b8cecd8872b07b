"""Python's frames as stacks of a profile, and as cheap keys that tell one stack from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.profiling.profile import Frame, Stack

if TYPE_CHECKING:
    from types import CodeType, FrameType

DEEPEST = 128
"""Frames of a stack that are kept, from the leaf; as many as Go's runtime keeps."""

Key = tuple[int, ...]
"""Identity of code and offset of instruction, frame by frame: equal for equal stacks as long as the code lives."""


def python_stack(frame: FrameType | None, deepest: int = DEEPEST) -> Stack:
    """Return the stack that ends in `frame`, leaf first, at most `deepest` frames of it."""
    stack: list[Frame] = []
    while frame is not None and len(stack) < deepest:
        stack.append(python_frame(frame))
        frame = frame.f_back
    return tuple(stack)


def python_frame(frame: FrameType) -> Frame:
    """Return what `frame` is executing, as `module:qualname` at a line. Never runs code of the application."""
    code = frame.f_code
    return Frame(f"{module_name(frame)}:{qualname(code)}", code.co_filename, frame.f_lineno or 0, code.co_firstlineno)


def module_name(frame: FrameType) -> str:
    """Return the name of the module whose globals a frame runs with, `?` where they do not say."""
    name = frame.f_globals.get("__name__")
    return name if type(name) is str else "?"


def qualname(code: CodeType) -> str:
    """Return the qualified name of a function; the plain one before Python 3.11, which keeps no other."""
    return getattr(code, "co_qualname", code.co_name)


def stack_key(frame: FrameType | None, deepest: int = DEEPEST) -> Key:
    """Return what is the same for each look at the same stack. Some 60 ns a frame; looks no line number up."""
    key: list[int] = []
    while frame is not None and deepest:
        key += (id(frame.f_code), frame.f_lasti)
        frame = frame.f_back
        deepest -= 1
    return tuple(key)
