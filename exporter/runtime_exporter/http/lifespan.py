"""The end of an ASGI server, which an application is told of beforehand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from runtime_exporter.http.guard import report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def noting_the_end(receive: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """Return a `receive`, that of a lifespan, which notes that this process, where it is one of several workers, leaves in order.

    Afterwards it has no time for it: uvicorn ends by the signal that it was asked to end with.
    """

    async def receive_and_note() -> Any:
        message = await receive()
        try:
            workers = sys.modules.get("runtime_exporter.metrics.workers")
            worker = workers.current() if workers is not None and message["type"] == "lifespan.shutdown" else None
            if worker is not None:
                worker.ends("left")
        except Exception as error:  # noqa: BLE001 - never into the host
            report("noting the end of a server", error)
        return message

    return receive_and_note
