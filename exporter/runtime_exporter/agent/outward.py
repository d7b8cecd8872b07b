"""What an agent sends elsewhere of its targets: profiles to Pyroscope, and word of those that alerts had taken to Grafana."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from runtime_exporter.agent.discovery import MOUNT
from runtime_exporter.push import push_of
from runtime_exporter.push.assembly import HOST_LABEL, SERVICE_LABEL
from runtime_exporter.push.grafana import annotations_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.agent.config import Target
    from runtime_exporter.metrics import Metric
    from runtime_exporter.profiling.captures import Captured
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.settings import Settings

_MEMORY: Final = {"heap": "inuse_", "allocs": "alloc_"}
"""What of the four values of Go's memory profiles is of the interval: its heap also has all that was allocated since the start."""


@dataclass(frozen=True)
class Outlet:
    """What is sent of one target. Neither waits for anybody nor raises."""

    offer: Callable[[Profile, str, Mapping[str, str]], object] | None = None
    """Is shown each profile with its kind and labels."""
    tell: Callable[[Captured], None] | None = None
    """Is told of each profile that was taken for an alert."""


class Outward:
    """Makes the outlets of targets. `home` gives where the agent is served. Raises ConfigError for settings that do not go together."""

    def __init__(self, settings: Settings, home: Callable[[], str]) -> None:
        self._settings = settings
        self._home = home
        self._push = push_of(settings, each_named=True)
        annotations_of(settings, home)  # what is wrong is said now, and not with the first target

    @property
    def families(self) -> Sequence[Metric]:
        """What became of what was sent."""
        return self._push.families

    def start(self) -> None:
        """Begin to send. Raises ConfigError for a secret that cannot be read."""
        self._push.start()

    def close(self) -> None:
        """End it, once what waits was tried."""
        self._push.close()

    def of(self, target: Target) -> Outlet:
        """Return what is sent of a target, under its own name."""
        return Outlet(
            partial(self._offer, labels_of(target)) if self._push.enabled else None,
            annotations_of(self._settings, lambda: f"{self._home()}{MOUNT}/{target.name}"),
        )

    def _offer(self, own: Mapping[str, str], profile: Profile, kind: str, labels: Mapping[str, str]) -> None:
        self._push.offer(of_the_interval(profile, kind), kind, {**own, **labels})


def labels_of(target: Target) -> dict[str, str]:
    """Return the labels of a target's profiles in Pyroscope: its job is the application there."""
    host = urlsplit(target.url).hostname if target.url else None
    here = {HOST_LABEL: host} if host else {}  # a process is on this machine, which is what stands there anyway
    return {**target.labels, SERVICE_LABEL: target.job, "instance": target.instance, **here}


def of_the_interval(profile: Profile, kind: str) -> Profile:
    """Return a profile without the values that are of another time than its interval: they would be added up again and again."""
    begins = _MEMORY.get(kind, "")
    kept = [place for place, one in enumerate(profile.sample_types) if one.type.startswith(begins)]
    if len(kept) == len(profile.sample_types) or not kept:
        return profile
    samples = (one._replace(values=tuple(one.values[place] for place in kept)) for one in profile.samples)
    return replace(
        profile,
        sample_types=tuple(profile.sample_types[place] for place in kept),
        samples=tuple(one for one in samples if any(one.values)),
    )
