"""What a target is to the agent: where profiles come from. One implementation for Go (`go`), one for a process (`pid`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.advice import Facts
    from runtime_exporter.profiling.pipeline import Taken
    from runtime_exporter.profiling.profile import Profile


class Source(Protocol):
    """A target's profiles. Made without effects. `take` is called by one thread, `capture` and `close` by any."""

    @property
    def language(self) -> Literal["python", "go"]:
        """What the target is written in: which rules of advice are about it."""

    @property
    def started(self) -> float | None:
        """When the target's process did, in seconds since the epoch; None while that is not known."""

    def take(self) -> Taken:
        """Return the profiles since the last call, or those that are taken now; blocks as long as that takes, and no longer than its timeouts.

        Raises ProfileError, one line, where the target does not answer, is gone or may not be looked at.
        """

    def facts(self) -> Facts:
        """Return what was learned beside the profiles when they were taken last."""

    def capture(self, kind: str, seconds: float, unwanted: Callable[[], bool] | None = None) -> Profile:
        """Return one profile of a kind, on request: over `seconds`, or how things are where that is 0.

        Raises ProfileError where there is no such kind here, one is being taken, or, soon after, once it is `unwanted`.
        """

    def close(self) -> None:
        """End what is under way and leave nothing behind. A second call does nothing."""
