"""Whether a client still waits for its answer."""

from __future__ import annotations

import select
import socket

GONE = "runtime_exporter.gone"
"""Key of a WSGI environment: a function that tells whether the client has left. Only our own server has it."""


def has_left(client: socket.socket) -> bool:
    """Return whether the other side has closed the connection, or it broke. Waits for nothing, reads nothing.

    A client that only says that it will send no more counts as gone, as it does for Go's net/http.
    """
    try:
        if hasattr(select, "POLLRDHUP"):  # Linux
            return _hung_up(client)
        return socket.socket.recv(client, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:  # it is there and says nothing
        return False
    except (OSError, ValueError):  # closed by us meanwhile
        return True


def _hung_up(client: socket.socket) -> bool:
    # What TLS has sent before it closed may wait to be read: only the kernel's own word tells.
    poll = select.poll()
    poll.register(client.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
