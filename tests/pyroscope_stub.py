"""A server that takes profiles as Pyroscope does, and keeps what it got."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from werkzeug.formparser import parse_form_data


class Got(NamedTuple):
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Pyroscope:
    """A server that keeps what is posted and answers with the next of `answers`: a status, or one with headers; then 200."""

    def __init__(self):
        self.got: list[Got] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                url = urlsplit(self.path)
                status, headers = kept.answers.pop(0) if kept.answers else (200, {})
                kept.got.append(Got(url.path, parse_qs(url.query), dict(self.headers), body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                said = f"because of {status}\nand more".encode()
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def form(got):
    """Return the fields and the files of a form, as werkzeug reads them."""
    environ = {
        "wsgi.input": BytesIO(got.body),
        "CONTENT_LENGTH": str(len(got.body)),
        "CONTENT_TYPE": got.headers["Content-Type"],
        "REQUEST_METHOD": "POST",
        "wsgi.input_terminated": True,
    }
    _, fields, files = parse_form_data(environ)
    contents = {name: file.read() for name, file in files.items()}
    for file in files.values():
        file.close()
    return dict(fields), contents
