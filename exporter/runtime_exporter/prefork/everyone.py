"""Profiles that are taken now of all workers at once: who is asked asks the others, and adds up what they answer.

Who does not answer in time is named in a comment of the profile, and left out.
"""

from __future__ import annotations

import threading
import time
import tracemalloc
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import COSTS
from runtime_exporter.errors import ProfileError
from runtime_exporter.logs import printable
from runtime_exporter.prefork.peers import PeerError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.together import of_workers
from runtime_exporter.web.pprof_pages import PATH, Sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.prefork.peers import Peer, Peers
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.web.page import Reply

    Take = Callable[[float, Callable[[], bool]], Profile]

PATIENCE: Final = 5.0
"""Seconds that others may be late, as a worker is that holds the GIL: `go tool pprof` itself waits for half of `seconds` more."""
MOST: Final = 64
"""Workers that are asked at once: each answer is a thread, and one more to wait for."""
DEAR: Final = ("heap", "allocs")
"""What slows a process down while it is taken, unless its allocations are traced anyway: of one worker, if not told otherwise."""
KINDS: Final = {"profile": "cpu", "allocs": "heap"}
"""Kinds that are called otherwise than the last part of their path."""
_NOW: Final = ("goroutine", "threadcreate", "heap", "allocs", "block", "mutex")
_OK: Final = 200


class Everyone:
    """All workers that live. own: where the profiles of this process come from, and number: which one it is; None: it is none.

    keep: is given what was taken over a time, and its kind.
    """

    def __init__(
        self,
        peers: Peers,
        own: Sources | None = None,
        *,
        number: Callable[[], int | None] = lambda: None,
        keep: Callable[[Profile, str], object] = lambda _, __: None,
    ) -> None:
        self._peers = peers
        self._own = own
        self._number = number
        self._keep = keep

    def sources(self, *, dear: bool = False) -> Sources:
        """Return where the profiles of all come from, of the kinds that this process has itself, or anybody may have.

        dear: all are to take also what slows each of them down.
        """
        own = self._own
        if own is None:
            usual = {name: self._over(name, None) for name in ("profile", "wall")}
            return Sources(
                windows={**usual, **{name: self._over(name, None) if dear else _unsaid for name in DEAR}},
                deltas={name: self._over(name, None) for name in ("block", "mutex")},
                instants={name: self._now(name, None) for name in _NOW},
                texts={"goroutine": self._text("goroutine", None)},
            )
        return replace(
            own,
            windows={name: self._window(name, take, dear=dear) for name, take in own.windows.items()},
            deltas={name: self._over(name, take) for name, take in own.deltas.items()},
            instants={name: self._now(name, take) for name, take in own.instants.items()},
            texts={name: self._text(name, take) for name, take in own.texts.items()},
        )

    def by_kind(self) -> dict[str, Callable[[float], Profile]]:
        """Return by kind what takes a profile of all over some seconds, or now where that is how it is; of one of what is dear."""
        sources = self.sources()
        takes = {**sources.windows, **sources.deltas}
        kinds = {KINDS.get(name, name): _wanted(take) for name, take in takes.items() if name not in DEAR}
        alive, new = _at_once(sources.instants["heap"]), _wanted(sources.windows["heap"])

        def heap(seconds: float) -> Profile:
            return alive(seconds) if tracemalloc.is_tracing() else new(seconds)

        return {**kinds, "heap": heap, "goroutine": _at_once(sources.instants["goroutine"])}

    def _window(self, name: str, take: Take, *, dear: bool) -> Take:
        if name not in DEAR or dear:
            return self._over(name, take)
        everyone, alone = self._over(name, take), self._alone(take)

        def window(seconds: float, gone: Callable[[], bool]) -> Profile:
            take = everyone if tracemalloc.is_tracing() else alone  # traced or not, each time anew
            return take(seconds, gone)

        return window

    def _over(self, name: str, take: Take | None) -> Take:
        def over(seconds: float, gone: Callable[[], bool]) -> Profile:
            mine = None if take is None else lambda: take(seconds, gone)
            profile = self._profile(f"{PATH}/{name}?seconds={seconds:g}", seconds, mine, gone)
            self._keep(profile, KINDS.get(name, name))
            return profile

        return over

    def _now(self, name: str, take: Callable[[], Profile] | None) -> Callable[[], Profile]:
        return lambda: self._profile(f"{PATH}/{name}", 0.0, take)

    def _alone(self, take: Take) -> Take:
        def alone(seconds: float, gone: Callable[[], bool]) -> Profile:
            number, profile = self._number(), take(seconds, gone)
            self._keep(profile, "heap")
            if number is None:
                return profile
            said = "others were not asked: it slows a process down; worker=N asks another one, worker=all asks all"
            return _commented(of_workers([(number, profile)]), [said])

        return alone

    def _profile(
        self, path: str, seconds: float, mine: Callable[[], Profile] | None, gone: Callable[[], bool] = lambda: False
    ) -> Profile:
        """Return the profile of all who answer. Raises ProfileError where nobody does."""
        number, asked, said = self._asked(path, seconds)
        found: list[tuple[int, Profile]] = []
        try:
            if mine is not None:
                own = mine()
                if number is None:
                    return own
                found.append((number, own))
            for one in asked:
                answer = one.profile(gone)
                if isinstance(answer, PeerError):
                    said.append(f"worker {one.peer.number}: left out, {answer}")
                else:
                    found.append((one.peer.number, answer))
        finally:
            for one in asked:
                one.peer.end()
        if not found:
            raise ProfileError("; ".join(said) or "no worker lives")
        return _commented(of_workers(sorted(found, key=lambda one: one[0])), said)

    def _text(self, name: str, take: Callable[[], str] | None) -> Callable[[], str]:
        def text() -> str:
            number, asked, said = self._asked(f"{PATH}/{name}?debug=2", 0.0)
            if take is not None and number is None:
                return take()
            parts = [] if take is None else [f"# worker {number}\n\n{take()}"]
            parts += [f"# worker {one.peer.number}\n\n{one.text()}" for one in asked]
            return "\n".join([*parts, *(f"# {one}\n" for one in said)])

        return text

    def _asked(self, path: str, seconds: float) -> tuple[int | None, list[_Asked], list[str]]:
        """Ask all others; return the number of this worker, those who were asked, and what is to be said of others."""
        number = self._number()
        if self._own is not None and number is None:
            return None, [], []
        others = [one for one in self._peers.numbers() if one != number]
        asked = [_Asked(self._peers.connection(one, seconds + PATIENCE), path) for one in others[:MOST]]
        for one in asked:
            one.start()
        left = len(others) - len(asked)
        return number, asked, [f"{left} more workers were not asked"] if left else []


def answers(peers: Peers, path: str, *, but: int | None) -> tuple[dict[int, bytes], dict[int, str]]:
    """Return by worker what all others than `but` answer, whatever the status, and why there is nothing of those who do not in time."""
    others = [one for one in peers.numbers() if one != but]
    asked = [_Asked(peers.connection(one, PATIENCE), path) for one in others[:MOST]]
    for one in asked:
        one.start()
    found: dict[int, bytes] = {}
    missing = dict.fromkeys(others[MOST:], f"more than {MOST} others live")
    for one in asked:
        answer = one.answer()
        if isinstance(answer, PeerError):
            missing[one.peer.number] = str(answer)
        else:
            found[one.peer.number] = answer
    return found, missing


@dataclass
class _Asked:
    """A worker that is being asked, on a thread."""

    peer: Peer
    path: str
    _replies: list[Reply | PeerError] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)
    _until: float = 0.0

    def start(self) -> None:
        self._until = time.monotonic() + (self.peer.timeout or PATIENCE)
        try:
            COSTS.start(threading.Thread(target=self._ask, name="runtime-exporter-asks", daemon=True))
        except RuntimeError as error:  # no thread can be started
            self._replies.append(PeerError(str(error)))
            self._done.set()

    def profile(self, gone: Callable[[], bool]) -> Profile | PeerError:
        """Return the profile that it answers, or why there is none. Raises ProfileError where nobody wants it any more."""
        try:
            body = self._body(gone)
        except PeerError as error:
            return error
        try:
            return pprof.decode(body)
        except ProfileError as error:
            return PeerError(str(error))

    def text(self) -> str:
        """Return the text that it answers, or why there is none."""
        try:
            return self._body().decode("utf-8", "replace")
        except PeerError as error:
            return f"{error}\n"

    def _body(self, gone: Callable[[], bool] = lambda: False) -> bytes:
        """Return what it answers. Raises PeerError where that is nothing, comes too late, or is a refusal."""
        reply = self._reply(gone)
        if reply.status != _OK:
            raise PeerError(printable(reply.body.decode("utf-8", "replace").strip()))
        return reply.body

    def answer(self) -> bytes | PeerError:
        """Return what it answers, whatever the status, or why there is nothing."""
        try:
            return self._reply().body
        except PeerError as error:
            return error
        finally:
            self.peer.end()

    def _reply(self, gone: Callable[[], bool] = lambda: False) -> Reply:
        """Return what it answers. Raises PeerError where that is nothing, or comes too late."""
        while not self._done.wait(min(0.25, max(0.0, self._until - time.monotonic()))):
            if time.monotonic() >= self._until:
                raise PeerError(f"it did not answer within {self.peer.timeout:.3g} s")
            if gone():
                raise ProfileError("who asked for it did not wait for it")
        reply = self._replies[0]
        if isinstance(reply, PeerError):
            raise reply
        return reply

    def _ask(self) -> None:
        try:
            self._replies.append(self.peer.get(self.path))
        except PeerError as error:
            self._replies.append(error)
        finally:
            self._done.set()


def _commented(profile: Profile, said: list[str]) -> Profile:
    """Return the profile with further comments behind the first, which says which workers it is of."""
    first, *rest = profile.comments
    return replace(profile, comments=(first, *said, *rest))


def _wanted(take: Take) -> Callable[[float], Profile]:
    return lambda seconds: take(seconds, lambda: False)


def _at_once(take: Callable[[], Profile]) -> Callable[[float], Profile]:
    return lambda _: take()


def _unsaid(_: float, __: Callable[[], bool]) -> Profile:
    raise ProfileError("it slows a process down: worker=N says which one, or worker=all")
