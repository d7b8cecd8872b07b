"""From a running frame to a stack of names: as little as possible while the program waits, the rest when it is handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.pythonstack import DEEPEST, Key, module_name, qualname
from runtime_exporter.profiling.samplers.sampler import TRUNCATED

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from runtime_exporter.profiling.profile import Stack

_MOST_CODES = 10_000
_MOST_FRAMES = 50_000


class _Code(NamedTuple):
    """A code object, kept alive so that its id stays its own, and the module whose globals it ran with."""

    code: CodeType
    module: str


_FORGOTTEN = Frame("(forgotten)")


class StackTable:
    """Names of the stacks that were seen. Bounded: what it knows is forgotten as a whole when it is too much."""

    def __init__(
        self, *, deepest: int = DEEPEST, most_codes: int = _MOST_CODES, most_frames: int = _MOST_FRAMES
    ) -> None:
        self._deepest = deepest
        self._most_codes = most_codes
        self._most_frames = most_frames
        self._codes: dict[int, _Code] = {}
        self._frames: dict[tuple[int, int], Frame] = {}
        self.truncated = 0

    def key(self, frame: FrameType | None) -> Key:
        """Return the key of a frame and its callers: ids, since a hash of a code object is one of all in it.

        About 0.3 us a frame; keeps no reference to a frame.
        """
        codes = self._codes
        key: list[int] = []
        room = self._deepest
        while frame is not None:
            if not room:
                self.truncated += 1
                key.append(0)
                break
            room -= 1
            code = frame.f_code
            number = id(code)
            if number not in codes:
                codes[number] = _Code(code, module_name(frame))
            key += (number, frame.f_lasti)
            frame = frame.f_back
        return tuple(key)

    def stack(self, key: Key | Stack) -> Stack:
        """Return the frames of a key that this table made since it last forgot; a stack is returned as it is."""
        if key and isinstance(key[0], Frame):
            return key
        key = cast("Key", key)
        frames = [self._frame(number, lasti) for number, lasti in zip(key[::2], key[1::2], strict=False)]
        if len(key) % 2:
            frames.append(TRUNCATED)
        return tuple(frames)

    def forget(self) -> bool:
        """Forget everything if that is too much; keys made before are then worth nothing, and True is returned."""
        if len(self._codes) <= self._most_codes and len(self._frames) <= self._most_frames:
            return False
        self._codes, self._frames = {}, {}
        return True

    def _frame(self, number: int, lasti: int) -> Frame:
        frame = self._frames.get((number, lasti))
        if frame is None:
            known = self._codes.get(number)
            if known is None:  # a signal handler has made the key while the table forgot
                return _FORGOTTEN
            code, module = known
            frame = Frame(f"{module}:{qualname(code)}", code.co_filename, _line(code, lasti), code.co_firstlineno)
            self._frames[number, lasti] = frame
        return frame


def _line(code: CodeType, lasti: int) -> int:
    """Return the line of an instruction; that of the definition for one that belongs to no line."""
    for begin, end, line in code.co_lines():
        if begin <= lasti < end:
            return line or code.co_firstlineno
    return code.co_firstlineno
