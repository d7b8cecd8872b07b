"""Profiles pushed to Pyroscope: optional, on a thread of its own, and never in the profiler's way."""

from __future__ import annotations

from runtime_exporter.push.assembly import push_of
from runtime_exporter.push.push import Push

__all__ = ["Push", "push_of"]
