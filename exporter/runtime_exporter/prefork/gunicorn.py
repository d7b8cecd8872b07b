"""gunicorn, where no `run` has hooked it: a worker that its arbiter finds hanging ends in order, by an exit code, and has died all the same."""

from __future__ import annotations

import functools
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def before_abort(say: Callable[[], None]) -> None:
    """Have `say` called when gunicorn aborts this process, if it is a worker of it, before the configuration's `worker_abort`.

    The hook is changed, and not the signal's handler: that may be of others by now, of faulthandler for one.
    """
    worker = getattr(signal.getsignal(signal.SIGABRT), "__self__", None)
    config: Any = getattr(worker, "cfg", None)
    configured = getattr(config, "worker_abort", None)
    if not type(worker).__module__.startswith("gunicorn.") or not callable(configured):
        return

    @functools.wraps(configured)
    def worker_abort(worker: Any) -> Any:
        say()
        return configured(worker)

    with suppress(Exception):  # of another version, which takes it in another way
        config.set("worker_abort", worker_abort)
