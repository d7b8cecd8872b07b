"""Where a Go service serves its profiles."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from runtime_exporter.errors import ProfileError

PPROF = "/debug/pprof"
_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """The scheme, host and port of a service, and the path before /debug/pprof."""

    scheme: str
    host: str
    port: int
    prefix: str = ""

    def __str__(self) -> str:
        """Return it as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        server = host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"
        return urlunsplit((self.scheme, server, self.prefix, "", ""))


def address(url: str) -> Address:
    """Return the address that a URL is of: of a service, of its /debug/pprof, or of one profile there.

    A user, a password and a query are left out. Raises ProfileError for what is no such URL.
    """
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise ProfileError(f"no address: {error}") from None
    if scheme not in _PORTS or not host:
        raise ProfileError("an address such as http://127.0.0.1:6060 is needed")
    return Address(scheme, host, port or _PORTS[scheme], parts.path.partition(PPROF)[0].rstrip("/"))
