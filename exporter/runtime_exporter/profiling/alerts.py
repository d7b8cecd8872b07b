"""What an alert says of itself: which profile explains it, and how a profile tells for which alert it was taken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.profiling.profile import Profile

ALERT: Final = "alert"
"""The label of a kept profile that says which alert it was taken for; `fingerprint` says which of that name."""
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "RuntimeCpuSpike": ("cpu",),
    "RuntimeCpuThrottled": ("cpu",),
    "RuntimeHttpLatencyHigh": ("wall", "cpu"),
    "RuntimeEventLoopBlocked": ("wall", "cpu"),
    "RuntimeMemoryLeakSuspected": ("heap",),
    "RuntimeMemoryNearLimit": ("heap",),
    "RuntimeGcPressure": ("heap",),
    "RuntimeThreadLeakSuspected": ("goroutine",),
    "RuntimeProfileRegression": ("cpu",),
    "RuntimeProfileNewDominantFunction": ("cpu",),
    "RuntimeProfileLeakSuspect": ("heap",),
    "RuntimeLockHotSpot": ("block", "wall"),
}
"""The kinds of profile that explain an alert, best first. A request or a loop that is slow may wait as well as work: wall, which
Go does not have."""
PROFILE: Final = "profile"
"""The label, or else the annotation, by which a rule says itself which kind of profile explains it."""
_MOST_COMMENTS, _LONGEST_COMMENT = 30, 200


@dataclass(frozen=True)
class Alert:
    """An alert that fires. `link` is the page that its notification leads to, empty where there is none."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    link: str = ""
    wants: str = ""
    """The kind of profile that its rule asks for, empty where the alert's name says it."""


def wanted(alert: Alert) -> tuple[str, ...]:
    """Return the kinds of profile that explain an alert, best first."""
    if alert.wants:
        return (alert.wants,)
    return tuple(kind for kind in (alert.labels.get(PROFILE, ""), *KINDS.get(alert.name, ())) if kind)


def labels(alert: Alert) -> dict[str, str]:
    """Return the labels of a profile that is kept for an alert."""
    found = {ALERT: alert.name, "fingerprint": alert.fingerprint}
    return {name: value for name, value in found.items() if value}


def described(profile: Profile, alert: Alert) -> Profile:
    """Return the profile with all labels of the alert in its comments: the name of a file holds only three."""
    lines = [f"alert {alert.name}", *(f"alert label {name}={value}" for name, value in sorted(alert.labels.items()))]
    comments = (_line(line) for line in lines[:_MOST_COMMENTS])
    return replace(profile, comments=(*profile.comments, *comments))


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:_LONGEST_COMMENT]
