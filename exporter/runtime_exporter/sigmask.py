"""Keeps signals away from the exporter's own threads.

The kernel gives a signal of the process to any thread that does not block it. A program that blocks SIGTERM in its main
thread (a critical section, signalfd) counts on nobody else taking it; each thread of ours that does not block it would.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading

SIGNALS: Final = frozenset(
    getattr(signal, name)
    for name in ("SIGALRM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH")
    if hasattr(signal, name)
)
"""What programs handle. Those of faults and of profilers (SIGSEGV, SIGPROF) stay with the thread that they are about."""


def start_without_signals(thread: threading.Thread) -> None:
    """Start a thread that takes no signals. Raises RuntimeError where no thread can be started."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        thread.start()
        return
    # A thread begins with the mask of the one that starts it; what arrives meanwhile waits for the last line.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        thread.start()
    finally:
        # Not the mask that was: green threads (gevent) share one, and another's start may have come in between and ended after.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS - before)


def take_signals() -> None:
    """Take signals in this thread again: it runs code of the application, whose child processes inherit the mask."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
