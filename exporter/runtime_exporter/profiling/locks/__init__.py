"""An opt-in profile of locks: who waits, for how long, for locks created where, and who holds them."""

from runtime_exporter.profiling.locks.deadlock import Deadlock, Edge
from runtime_exporter.profiling.locks.ledger import Ledger
from runtime_exporter.profiling.locks.profiler import Hold, LockProfiler, green_threads

__all__ = ["Deadlock", "Edge", "Hold", "Ledger", "LockProfiler", "green_threads"]
