"""An endpoint on loopback for what a peer uploads, which nobody else receives: what it tells of itself is read there."""

from __future__ import annotations

import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

_PATIENCE_SECONDS = 5.0
_MOST_BYTES = 1 << 20


class Uploads:
    """Receives uploads until it is closed. Its thread sleeps but for these: what is measured beside it is not disturbed."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._came = threading.Condition()
        uploads = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                uploads._received(_body(self))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while self._open:
            self._server.handle_request()

    def close(self) -> None:
        """Stop to receive."""
        self._open = False
        socket.create_connection(self._server.server_address[:2]).close()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where to upload."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def number(self, name: bytes) -> int:
        """Return the number of that name in the JSON of an upload, waiting some seconds for one; 0 if none has it."""
        pattern = re.compile(rb'"%b"\s*:\s*(\d+)' % name)

        def found() -> int:
            return max((int(match[1]) for body in self._bodies for match in pattern.finditer(body)), default=0)

        with self._came:
            self._came.wait_for(found, _PATIENCE_SECONDS)
            return found()

    def _received(self, body: bytes) -> None:
        with self._came:
            self._bodies.append(body)
            self._came.notify_all()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "") != "chunked":
        return request.rfile.read(min(_MOST_BYTES, int(request.headers.get("Content-Length", 0))))
    body = b""
    while len(body) < _MOST_BYTES and (size := int(request.rfile.readline().strip() or b"0", 16)):
        body += request.rfile.read(size)
        request.rfile.readline()
    return body
