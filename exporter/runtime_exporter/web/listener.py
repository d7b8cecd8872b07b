"""The socket that a server listens on, and what can be wrong with an address."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from runtime_exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_BACKLOG = 512  # connections that the kernel keeps while all threads are busy (cut to net.core.somaxconn)


class PortInUseError(ConfigError):
    """Somebody else listens on the port."""


def listen(address: str, port: int, source: Callable[[str], str], *, together: bool = False) -> socket.socket:
    """Return a socket that listens; raises `ConfigError` that names the setting, its value and where it came from.

    together: other processes of this user may listen on the same port, if all of them say so; the kernel gives each
    connection to one of them.
    """
    host = address.removeprefix("[").removesuffix("]")
    try:
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a name"
        raise _wrong("address", address, source, f"cannot be resolved: {reason}") from None
    family, kind, protocol, _, place = candidates[0]
    try:
        return _bound(family, kind, protocol, place, together=together)
    except OSError as error:
        raise _problem(error, address, port, source) from None


def listen_if_free(
    address: str, port: int, source: Callable[[str], str], *, together: bool = False
) -> socket.socket | None:
    """Return a socket that listens, as `listen` does, or None where somebody else has the port now."""
    try:
        return listen(address, port, source, together=together)
    except PortInUseError:
        return None


def is_shared(listener: socket.socket) -> bool:
    """Return whether other processes may take connections from it, or beside it: whether it was made `together`."""
    return hasattr(socket, "SO_REUSEPORT") and bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))


def url_of(listener: socket.socket, *, tls: bool) -> str:
    """Return the URL of a listening socket, as seen from this machine where it listens on every interface; of a file its path."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    return url_at(*listener.getsockname()[:2], tls=tls)


def url_at(host: str, port: int, *, tls: bool) -> str:
    """Return the URL of an address, as `url_of` does."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _bound(family: int, kind: int, protocol: int, place: object, *, together: bool) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if together:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:  # "::" is every interface, hence IPv4, too
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(place)  # type: ignore[arg-type]
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # who was ready may be gone when it is accepted
    except OSError:
        listener.close()
        raise
    return listener


def _problem(error: OSError, address: str, port: int, source: Callable[[str], str]) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        problem = f"in use on {address} already: choose another, or 0 for any free one"
        return _wrong("port", port, source, problem, PortInUseError)
    if error.errno == errno.EACCES:
        return _wrong("port", port, source, "not permitted: a port below 1024 needs privileges")
    if error.errno == errno.EADDRNOTAVAIL:
        return _wrong("address", address, source, "not an address of this machine")
    return _wrong("address", address, source, f"cannot listen there: {error.strerror}")


def _wrong(
    name: str, value: object, source: Callable[[str], str], problem: str, kind: type[ConfigError] = ConfigError
) -> ConfigError:
    where = source(name)
    return kind(f"{name} = {value!r} ({where}): {problem}", setting=name, value=value, source=where)
