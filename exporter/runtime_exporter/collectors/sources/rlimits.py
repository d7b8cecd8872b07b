"""The limits that the kernel sets on this process (setrlimit)."""

from __future__ import annotations

import re

from runtime_exporter.collectors.sources.procfs import ProcFile, optional

try:
    import resource
except ImportError:  # pragma: no cover - Windows has no such limits
    resource = None  # type: ignore[assignment]


class LimitsFile:
    """/proc/self/limits, or that of another process."""

    def __init__(self, proc: str = "/proc", pid: int | str = "self") -> None:
        self._file = ProcFile(f"{proc}/{pid}/limits")

    def soft(self, name: str) -> float | None:
        """Return the soft limit called `name` (`Max open files`), or None where it is unlimited or unknown."""
        content = optional(self._file.read) or b""
        match = re.search(rb"^%s\s+(\d+)\s" % name.encode(), content, re.MULTILINE)
        return float(match[1]) if match else None

    def close(self) -> None:
        """Close the file that stays open between reads."""
        self._file.close()


def max_descriptors() -> float | None:
    """Return how many descriptors this process may open, on systems without /proc; None where there is no limit."""
    if resource is None:  # pragma: no cover - Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else float(soft)
