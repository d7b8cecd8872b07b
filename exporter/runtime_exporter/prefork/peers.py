"""The workers of a run directory, each asked by its number: at the port that they share anybody may answer.

Each listens on a socket that is a file of the directory, `<number>.socket`, too. What is said there is HTTP as at the port, but
without TLS and passwords: the file is the user's alone. It is bound anew by who has the number next, so that there are few.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final

from runtime_exporter.metrics.workers.slots import living
from runtime_exporter.web.page import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BACKLOG: Final = 32
_LONGEST_PATH: Final = 100
"""The kernel takes 107 bytes; beyond, the directory is named by a descriptor of it."""


class PeerError(Exception):
    """A worker did not answer; the text says why."""


class Peers:
    """The workers of one directory, each asked at the file `<number>.<kind>`."""

    def __init__(self, directory: Path, kind: str = "socket") -> None:
        self._directory = directory
        self._kind = kind

    def numbers(self) -> list[int]:
        """Return the numbers of those that live; none where the directory cannot be read."""
        with suppress(OSError):
            return sorted(name.slot for name in living(self._directory))
        return []

    def listen(self, number: int) -> socket.socket:
        """Return the socket at which the worker of this number is asked, which is this process. Raises OSError."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with self._place(number) as place:
                with suppress(FileNotFoundError):
                    os.unlink(place)  # noqa: PTH108 - of who had the number before
                listener.bind(place)
                os.chmod(place, 0o600)  # noqa: PTH101 - before anybody can connect
                self._give(place)
            listener.listen(_BACKLOG)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        return listener

    def connection(self, number: int, seconds: float) -> Peer:
        """Return a connection to a worker, of which each step may take so long."""
        return Peer(self, number, seconds)

    def connected(self, number: int, seconds: float) -> socket.socket:
        """Return a socket that is connected to a worker. Raises OSError."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(seconds)
        try:
            with self._place(number) as place:
                client.connect(place)
        except OSError:
            client.close()
            raise
        return client

    def _give(self, place: str) -> None:
        """Let the file belong to whom the directory belongs to: root may have made it for those that it will fork."""
        if os.geteuid() == 0:
            owner = self._directory.stat()
            with suppress(OSError):
                os.chown(place, owner.st_uid, owner.st_gid)

    @contextmanager
    def _place(self, number: int) -> Iterator[str]:
        place = f"{self._directory}/{number}.{self._kind}"
        if len(os.fsencode(place)) <= _LONGEST_PATH:
            yield place
            return
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}/{number}.{self._kind}"
        finally:
            os.close(descriptor)


class Peer(HTTPConnection):
    """A request to one worker. `close` may be called by another thread, and ends it."""

    def __init__(self, peers: Peers, number: int, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self.number = number
        self._peers = peers
        self._seconds = seconds

    def connect(self) -> None:
        """Connect to the worker's file, not to a host."""
        self.sock = self._peers.connected(self.number, self._seconds)

    def get(self, path: str) -> Reply:
        """Return the answer to a request. Raises PeerError where there is none."""
        try:
            self.request("GET", path)
            answer = self.getresponse()
            return Reply(
                answer.read(), answer.headers.get("Content-Type", ""), answer.status, _kept(answer.headers.items())
            )
        except (FileNotFoundError, ConnectionRefusedError):
            raise PeerError("no exporter that takes profiles runs in it") from None
        except TimeoutError:
            raise PeerError(f"it did not answer within {self._seconds:.3g} s") from None
        except (
            OSError,
            HTTPException,
            AttributeError,
            ValueError,
        ) as error:  # the latter two where it was closed meanwhile
            raise PeerError(f"it did not answer: {error or type(error).__name__}") from None
        finally:
            self.close()

    def end(self) -> None:
        """Want no answer any more: who waits for it stops waiting."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _kept(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers that are of the page, not of the connection."""
    return tuple((name, value) for name, value in headers if name in ("Content-Disposition", "X-Go-Pprof"))
