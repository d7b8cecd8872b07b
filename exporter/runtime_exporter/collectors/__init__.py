"""The process, turned into metric families: one file, one collector, one name.

`ALL` is the registry: what is in it can be chosen by the setting `collectors`, and its name is the value of the label
`collector`. A new collector is a file here and a line there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.collectors.asyncio import AsyncioCollector
from runtime_exporter.collectors.collector import Collector
from runtime_exporter.collectors.disk import DiskCollector
from runtime_exporter.collectors.exceptions import ExceptionsCollector
from runtime_exporter.collectors.gc import GcCollector
from runtime_exporter.collectors.gil import GilCollector
from runtime_exporter.collectors.host import HostCollector
from runtime_exporter.collectors.limits import LimitsCollector
from runtime_exporter.collectors.malloc import MallocCollector
from runtime_exporter.collectors.memory import MemoryCollector
from runtime_exporter.collectors.objects import ObjectsCollector
from runtime_exporter.collectors.process import ProcessCollector
from runtime_exporter.collectors.profiles import ProfilesCollector
from runtime_exporter.collectors.pss import PssCollector
from runtime_exporter.collectors.python import PythonCollector
from runtime_exporter.collectors.supervisor import Supervisor
from runtime_exporter.collectors.threads import ThreadsCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ALL", "Collector", "Supervisor"]

ALL: Mapping[str, Callable[[Any], Collector]] = {
    "process": lambda _: ProcessCollector(),
    "memory": lambda _: MemoryCollector(),
    "pss": lambda _: PssCollector(),
    "malloc": lambda _: MallocCollector(),
    "limits": lambda _: LimitsCollector(),
    "host": lambda _: HostCollector(),
    "disk": lambda settings: DiskCollector(settings.disk_paths),
    "python": lambda _: PythonCollector(),
    "gc": lambda _: GcCollector(),
    "objects": lambda settings: ObjectsCollector(settings.object_types_limit),
    "threads": lambda settings: ThreadsCollector(settings.thread_groups_limit),
    "gil": lambda _: GilCollector(),
    "asyncio": lambda settings: AsyncioCollector(settings.label_limit),
    "exceptions": lambda settings: ExceptionsCollector(settings.label_limit),
    "profiles": lambda _: ProfilesCollector(None),
}
"""Factories by name: each takes the settings and returns a collector that has not touched the process yet.

"profiles" shows what a profiler reports: whoever has one gives it to the collector, as its `continuous`.
"""
