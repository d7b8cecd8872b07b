"""How large the bodies of a request are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http.guard import report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runtime_exporter.http.series import Method, Series

_BODILESS: Final = frozenset({"204", "304"})
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


class Sizes:
    """Bytes of one request: those that the application read, those that it handed over, and those that it declared."""

    __slots__ = ("declared", "received", "sent")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0
        self.declared: int | None = None

    def count(self, method: Method, series: Series | None) -> None:
        """Count them for a request that ended as `series`. Never raises."""
        try:
            if series is not None:  # it was counted
                sent = self._of_response(method, series)
                method.metrics.observe_sizes(method.label, series.route, self.received, sent)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("counting a body", error)

    def _of_response(self, method: Method, series: Series) -> int:
        """Return the bytes of the response body: those that we saw, else (a file that the server sends) those declared.

        None are sent for HEAD and some statuses, whatever the application hands over (RFC 9110, section 6.4.1).
        """
        if method.label == "HEAD" or series.status in _BODILESS or series.status.startswith("1"):
            return 0
        return self.sent or self.declared or 0


class CountedInput:
    """A `wsgi.input` that counts what the application reads; in everything else it is the server's."""

    def __init__(self, stream: Any, sizes: Sizes) -> None:
        self._stream = stream
        self._sizes = sizes

    def __getattr__(self, name: str) -> Any:
        # Beyond PEP 3333: what the server's stream has of an io.RawIOBase, and nothing that it does not have.
        found = getattr(self._stream, name)
        if name in ("read1", "readall"):
            return lambda *size: self._counted(found(*size))
        if name in ("readinto", "readinto1"):
            return lambda buffer: self._counted_number(found(buffer))
        return found

    def __iter__(self) -> Iterator[bytes]:
        return map(self._counted, self._stream)

    def read(self, *size: Any) -> bytes:
        """Read as the server's stream does."""
        return self._counted(self._stream.read(*size))

    def readline(self, *size: Any) -> bytes:
        """Read a line as the server's stream does."""
        return self._counted(self._stream.readline(*size))

    def readlines(self, *hint: Any) -> list[bytes]:
        """Read lines as the server's stream does."""
        return [self._counted(line) for line in self._stream.readlines(*hint)]

    def _counted(self, data: bytes) -> bytes:
        self._sizes.received += len(data or b"")
        return data

    def _counted_number(self, number: int | None) -> int | None:
        self._sizes.received += number or 0
        return number


def declared_length(headers: Iterable[Any]) -> int | None:
    """Return what the Content-Length among `headers` says (names and values as text or bytes), or None.

    None also where it is malformed: the digits of RFC 9110, section 8.6, and below 10**18, or it counts as absent.
    """
    for name, value in headers:
        if _text(name).lower() == "content-length":
            digits = _text(value).strip(" \t")
            return int(digits) if _LENGTH.fullmatch(digits) else None
    return None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
