"""The pages of a Go service: its profiles, how many there are of each, and what its runtime says of itself."""

from __future__ import annotations

import ssl
import threading
import time
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.agent.go import runtime
from runtime_exporter.agent.go.address import PPROF, address
from runtime_exporter.agent.go.client import PATIENCE_SECONDS, Client
from runtime_exporter.agent.go.index import counts
from runtime_exporter.errors import BusyError, ConfigError, ProfileError
from runtime_exporter.profiling import pprof

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.agent.config import Target
    from runtime_exporter.agent.go.client import Answer
    from runtime_exporter.agent.go.runtime import Said
    from runtime_exporter.credentials import Credentials
    from runtime_exporter.profiling.profile import Profile


class Page(NamedTuple):
    """Where a kind of profile is, and the sample type that it is about."""

    name: str
    sample_type: str


PAGES: Final = {
    "cpu": Page("profile", "cpu"),
    "heap": Page("heap", "inuse_space"),
    "allocs": Page("allocs", "alloc_space"),
    "goroutine": Page("goroutine", "goroutine"),
    "mutex": Page("mutex", "delay"),
    "block": Page("block", "delay"),
    "goroutineleak": Page("goroutineleak", "goroutineleak"),
    "threadcreate": Page("threadcreate", "threadcreate"),
}
"""Kinds of profiles that a Go service has."""
ABSENT_SECONDS: Final = 3600.0
"""How long a page that the service does not have is not asked for again."""
_TEXT_LIMIT: Final = 16 * 1024 * 1024
_FORBIDDEN: Final = frozenset({401, 403})
_ABSENT: Final = frozenset({404, 405, 501})
# What net/http/pprof says, with status 500, to the second who wants a CPU profile.
_IN_USE: Final = "already in use"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Service:
    """One service, asked over HTTP. The constructor has no effects; may be used by several threads.

    All raise ProfileError, one line that names the page, where there is no answer or none of use.
    """

    def __init__(
        self, target: Target, *, patience: float = PATIENCE_SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        self.where = address(target.url)
        self.unanswered = 0
        """Requests in a row that nobody answered."""
        self._target = target
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._closed = False
        self._absent: dict[tuple[str, str], float] = {}

    def standing(self) -> Mapping[str, int]:
        """Return how much is in each profile, by name; nothing where there is no such page but somebody who answers."""
        answer = self._ask(f"{PPROF}/")
        if answer.status in _FORBIDDEN:
            raise ProfileError(f"{self.where}{PPROF}/ says {answer.words}")
        return counts(answer.body) if answer.ok else {}

    def profile(self, kind: str, seconds: int = 0, unwanted: Callable[[], bool] | None = None) -> Profile:
        """Return a profile of a kind, over seconds where they are not 0, unless it becomes `unwanted` meanwhile.

        Raises BusyError where a CPU profile is being taken.
        """
        page = PAGES[kind]
        path = f"{PPROF}/{page.name}"
        body = self._page(path, {"seconds": str(seconds)} if seconds else {}, seconds=seconds, unwanted=unwanted)
        try:
            profile = pprof.decode(body)
            profile.index(page.sample_type)  # a service may serve anything there
        except ProfileError as error:
            raise ProfileError(f"{self.where}{path}: {error}") from None
        return profile

    def lacks(self, kind: str) -> bool:
        """Return whether the service said a while ago that it has no such profile."""
        return self._lacks(f"{PPROF}/{PAGES[kind].name}", _NONE)

    def said(self) -> Said:
        """Return what the process says of itself: on its metrics page, and what is not there from the cheapest other page."""
        said = runtime.Said()
        if self._target.metrics_path:
            said = self._read(self._target.metrics_path, runtime.of_metrics)
        if said.heap_goal is None:
            said = runtime.merged((said, self._read("/debug/vars", runtime.of_expvar)))
        if said.heap_goal is None:
            said = runtime.merged((said, self._read(f"{PPROF}/heap", runtime.of_heap_text, {"debug": "1"})))
        return said

    def restarted(self) -> None:
        """Ask for everything again: it is another process, and may have more."""
        self._absent.clear()

    def close(self) -> None:
        """End what is under way: who waits for it gets a ProfileError."""
        with self._lock:
            self._closed = True
            client = self._client
        if client is not None:
            client.close()

    def _read(self, path: str, read: Callable[[bytes], Said], query: Mapping[str, str] = _NONE) -> Said:
        """Return what a page says; nothing where it is not there: whatever it says is an extra."""
        if self._lacks(path, query):
            return runtime.Said()
        try:
            return read(self._page(path, query, limit=_TEXT_LIMIT))
        except ProfileError:
            return runtime.Said()

    def _lacks(self, path: str, query: Mapping[str, str]) -> bool:
        return self._clock() < self._absent.get((path, query.get("debug", "")), 0.0)

    def _page(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        seconds: float = 0.0,
        limit: int = pprof.LIMIT,
        unwanted: Callable[[], bool] | None = None,
    ) -> bytes:
        answer = self._ask(path, query, seconds=seconds, limit=limit, unwanted=unwanted)
        if answer.ok:
            return answer.body
        if answer.status in _ABSENT:
            self._absent[path, query.get("debug", "")] = self._clock() + ABSENT_SECONDS
        error = BusyError if _IN_USE in answer.words else ProfileError
        raise error(f"{self.where}{path} says {answer.words}")

    def _ask(
        self,
        path: str,
        query: Mapping[str, str] = _NONE,
        *,
        seconds: float = 0.0,
        limit: int = pprof.LIMIT,
        unwanted: Callable[[], bool] | None = None,
    ) -> Answer:
        if unwanted is None:  # what somebody gave up says nothing of the service
            self.unanswered += 1
        answer = self._asker().get(self.where, path, query, seconds=seconds, limit=limit, unwanted=unwanted)
        self.unanswered = 0
        return answer

    def _asker(self) -> Client:
        """Return the client, made at the first use, since that reads files."""
        with self._lock:
            if self._closed:
                raise ProfileError(f"{self.where}: closed")
            if self._client is None:
                credentials = self._target.credentials
                self._client = Client(
                    authorization=partial(_header, credentials) if credentials is not None else None,
                    context=_context(self._target.ca_file) if self._target.ca_file else None,
                    patience=self._patience,
                )
            return self._client


def _header(credentials: Credentials) -> str:
    """Return what the service is shown. Raises ProfileError where a secret is being renewed, or is gone."""
    try:
        return credentials.header()
    except ConfigError as error:
        raise ProfileError(str(error)) from None


def _context(ca_file: str) -> ssl.SSLContext:
    """Return trust in a private authority. Raises ProfileError for a file that is none."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # SSLError is one
        raise ProfileError(f"{ca_file}: no certificates that could be read: {error.strerror or error}") from None
