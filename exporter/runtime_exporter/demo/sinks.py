"""Where notifications end on one machine: a real SMTP server and an HTTP endpoint that keep what arrives.

Both listen on loopback only, on a free port unless told otherwise, in one daemon thread each, and are started on call:

    with MailSink() as mail, HTTPSink() as slack:
        ...                       # let Alertmanager send to mail.port and to slack.url
        mail.messages[-1].html    # the newest message's HTML part
        slack.posts[-1].json      # the newest body, decoded
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import logging
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, final

from runtime_exporter.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage

ADDRESS = "127.0.0.1"
MAX_BODY_BYTES = 4 << 20
"""A post larger than this is answered with 413; Slack itself refuses far earlier."""


@dataclass(frozen=True)
class Mail:
    """One message as it came through SMTP; `received` is Unix time in seconds."""

    sender: str
    recipients: tuple[str, ...]
    login: str
    message: EmailMessage
    received: float

    @property
    def subject(self) -> str:
        """The decoded Subject header."""
        return str(self.message["Subject"])

    @property
    def html(self) -> str:
        """The HTML part, or an empty string."""
        return self._part("html")

    @property
    def text(self) -> str:
        """The plain-text part, or an empty string."""
        return self._part("plain")

    def _part(self, subtype: str) -> str:
        for part in self.message.walk():
            if part.get_content_type() == f"text/{subtype}":
                return str(part.get_content()).replace("\r\n", "\n")
        return ""


@dataclass(frozen=True)
class Post:
    """One HTTP POST; `received` is Unix time in seconds."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    received: float

    @property
    def json(self) -> Any:
        """The decoded body; raises ValueError where it is no JSON."""
        return json.loads(self.body)


@final
class MailSink:
    """An SMTP server without TLS that accepts everything; with a `password` it accepts only who logs in with that."""

    def __init__(self, *, port: int = 0, password: str = "") -> None:
        self.port = port
        self._password = password
        self._received: list[Mail] = []
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.base_events.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def messages(self) -> list[Mail]:
        """What has arrived so far, oldest first: a copy."""
        with self._lock:
            return list(self._received)

    def start(self) -> MailSink:
        """Listen; afterwards `port` is the real one. Raises MissingExtraError without aiosmtpd, OSError when the port is taken."""
        try:
            from aiosmtpd.smtp import SMTP, AuthResult
        except ImportError as error:
            raise MissingExtraError("demo", module="aiosmtpd") from error

        def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
            right = data.password.decode() == self._password
            return AuthResult(success=right, handled=False, auth_data=data)

        def session() -> Any:
            # A name of its own: the default asks DNS for this machine's, which can take seconds.
            return SMTP(
                self,
                loop=loop,
                hostname="localhost",
                enable_SMTPUTF8=True,
                authenticator=authenticate,
                auth_require_tls=False,
                # aiosmtpd's LOGIN asks "User Name", which Go's clients do not answer; PLAIN they all speak.
                auth_exclude_mechanism=["LOGIN"],
            )

        # It warns of its own deprecated names, and of clients; both are nobody's business here.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        loop = asyncio.new_event_loop()
        try:
            self._server = loop.run_until_complete(loop.create_server(session, ADDRESS, self.port))
        except BaseException:
            loop.close()
            raise
        self._loop = loop
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=loop.run_forever, name="mail-sink", daemon=True)
        self._thread.start()
        return self

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's hook
        """Keep one message; aiosmtpd calls this after the final dot."""
        login = session.auth_data.login.decode() if session.authenticated else ""
        if self._password and not session.authenticated:
            return "530 Authentication required"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail = Mail(envelope.mail_from, tuple(envelope.rcpt_tos), login, message, time.time())
        with self._lock:
            self._received.append(mail)
        return "250 OK"

    def close(self) -> None:
        """Stop listening, end open sessions and the thread; a second call does nothing."""
        loop, self._loop = self._loop, None
        if loop is None or self._server is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(_end(self._server), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(timeout=5)
        loop.close()

    def __enter__(self) -> MailSink:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


async def _end(server: asyncio.base_events.Server) -> None:
    """Close the listener, then cancel the sessions that are still open and wait for them."""
    server.close()
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for task in sessions:
        task.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)
    await asyncio.sleep(0)  # lets the transports of the cancelled sessions close


@final
class HTTPSink:
    """An HTTP endpoint that keeps every POST and answers 200 "ok", as Slack does; `status` makes it answer otherwise."""

    def __init__(self, *, port: int = 0, status: int = HTTPStatus.OK) -> None:
        self.port = port
        self.status = int(status)
        self._posts: list[Post] = []
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where to post to; any path below is accepted too."""
        return f"http://{ADDRESS}:{self.port}/"

    @property
    def posts(self) -> list[Post]:
        """What has arrived so far, oldest first: a copy."""
        with self._lock:
            return list(self._posts)

    def keep(self, post: Post) -> None:
        """Add one post; the handler's threads call this."""
        with self._lock:
            self._posts.append(post)

    def start(self) -> HTTPSink:
        """Listen; afterwards `port` and `url` are the real ones. Raises OSError when the port is taken."""
        sink = self

        class Handler(_Handler):
            """Bound to this sink."""

        Handler.sink = sink
        self._server = _Server((ADDRESS, self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="http-sink", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening and end the thread; a second call does nothing."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        server.shutdown()
        server.server_close()
        self._thread.join(timeout=5)

    def __enter__(self) -> HTTPSink:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that never sends its body must not hold up close()

    def handle_error(self, *_: object) -> None:
        """Stay quiet: a client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    """Keeps a POST in its sink. One request a connection: nothing is left open when the sink closes."""

    sink: HTTPSink
    timeout = 10

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"too large")
            return
        body = self.rfile.read(length)
        self.sink.keep(Post(self.path, dict(self.headers), body, time.time()))
        self._answer(self.sink.status, b"ok")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""
