"""/debug/pprof/: profiles of this process under the paths and in the words of Go's net/http/pprof, for the tools made for it.

What cannot be told here is refused in one line with the reason: an empty profile would say that there is nothing to see.
"""

from __future__ import annotations

import math
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import frames
from runtime_exporter.web.cmdline import masked
from runtime_exporter.web.page import BINARY, TEXT, Ask, Reply, Route, html, text
from runtime_exporter.web.style import document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.profiling.profile import Profile, Stack

    Take = Callable[[float, Callable[[], bool]], Profile]

PATH = "/debug/pprof"
DEFAULT_SECONDS = 30.0
"""How long Go profiles the CPU where the request does not say."""

# What Go serves and this runtime has no source for, and why.
NO_SOURCE: Mapping[str, str] = {
    "allocs": "Python keeps no record of allocation sites unless tracemalloc traces them",
    "block": "nothing looks at waits in this process; /debug/pprof/wall shows all places where threads are",
    "heap": "Python keeps no record of allocation sites unless tracemalloc traces them",
    "mutex": "the setting profile_locks counts who lets others wait for locks; /debug/pprof/wall shows who waits",
    "profile": "no profiler runs in this process",
    "threadcreate": "nothing tells here what threads were started with; /debug/pprof/goroutine shows where each one is",
    "trace": "there is no execution trace of Python; /debug/pprof/wall shows time by stack",
    "wall": "no profiler runs in this process",
}

_ABOUT: Mapping[str, str] = {
    "allocs": "The profile heap under the name that Alloy and Parca ask for. With seconds=N by what was allocated within these and not"
    " freed: nothing in Python records what was.",
    "block": "Stacks that waited for a lock, a socket, a file or a subprocess, as far as a sampler saw it; of profiled locks"
    " (setting profile_locks) every wait is counted. Since the start, up to the last interval, unless nothing looks all the time"
    " (setting profiling); with seconds=N within these.",
    "cmdline": "The command line of this process, what looks secret masked.",
    "goroutine": "Where every Python thread is now. debug=1: as text, debug=2: each thread with its name.",
    "heap": "Memory that is alive, by place of allocation, where tracemalloc runs (setting profile_heap). With seconds=N, what"
    " was allocated within these: slows the process 7 times and more as long where tracemalloc does not run.",
    "mutex": "Stacks that let go of locks which others waited for, since the start; with seconds=N within these.",
    "profile": "CPU time by stack, over seconds=30.",
    "threadcreate": "The function that each thread was started with.",
    "symbol": "Names of addresses: none, as profiles of Python come with their names.",
    "wall": "Elapsed time by stack, waiting included, over seconds=30.",
}


@dataclass(frozen=True)
class Sources:
    """Where profiles come from, by the last part of their path.

    `windows` are taken over the seconds given, one at a time; `deltas` are, too, and hinder no window. Both are told how to find
    out that they are not wanted any more. `instants` say how things are, or came to since the start, and `texts` the same for
    people (debug=2). Where a name has both, `seconds` tells which is meant. All may raise ProfileError. `unavailable` says why
    there is no instant of that name now, or "".
    """

    windows: Mapping[str, Take] = field(default_factory=dict)
    deltas: Mapping[str, Take] = field(default_factory=dict)
    instants: Mapping[str, Callable[[], Profile]] = field(default_factory=dict)
    texts: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    unavailable: Mapping[str, Callable[[], str]] = field(default_factory=dict)

    def at_once(self, name: str) -> bool:
        """Return whether this is a profile of an instant, unless a time is asked for."""
        return name in self.instants or name in self.unavailable

    def names(self) -> frozenset[str]:
        """Return the names of all profiles that there are."""
        return frozenset({*self.windows, *self.deltas, *self.instants})


def pprof_routes(sources: Sources, *, longest: float, taking: threading.Lock | None = None) -> tuple[Route, ...]:
    """Return the pages below /debug/pprof; a profile of a window takes `longest` seconds at most.

    `taking` is held meanwhile: pages that have it in common take one profile at a time together.
    GET only, but for `symbol`: to answer HEAD a profile would have to be taken.
    """
    symbol = Route(f"{PATH}/symbol", lambda _: text("num_symbols: 0\n"), methods=("GET", "HEAD", "POST"))
    title = "Profiles, as Go serves them: for go tool pprof, Alloy and Parca"
    return (
        symbol,
        Route(PATH, _Pages(sources, longest, taking or threading.Lock()), methods=("GET",), subtree=True, title=title),
    )


class _Pages:
    """Every page below /debug/pprof but `symbol`."""

    def __init__(self, sources: Sources, longest: float, taking: threading.Lock) -> None:
        self._sources = sources
        self._longest = longest
        self._taking = taking

    def __call__(self, ask: Ask) -> Reply:
        name = ask.rest
        if not name:
            return self._index()
        if name == "cmdline":
            return text("\x00".join(masked(sys.orig_argv)))
        if name not in self._sources.names():
            return _missing(name)
        try:
            if self._sources.at_once(name) and not ask.query.get("seconds", [""])[-1]:
                return self._instant(name, ask)
            return self._window(name, ask)
        except ProfileError as error:
            return refusal(500, f"Could not take the profile {name}: {error}")

    def _window(self, name: str, ask: Ask) -> Reply:
        take = self._sources.deltas.get(name) or self._sources.windows.get(name)
        if take is None:
            return refusal(400, '"seconds" parameter is not supported for this profile type')
        seconds = _seconds(ask.query.get("seconds", [""])[-1], min(DEFAULT_SECONDS, self._longest))
        if seconds is None:
            return refusal(400, 'invalid value for "seconds" - must be a number greater than 0')
        if seconds > self._longest:
            return refusal(
                400, f'invalid value for "seconds" - at most {self._longest:g} (setting profile_seconds_limit)'
            )
        if name in self._sources.deltas:
            return attachment(f"{name}-delta", pprof.encode(take(seconds, ask.gone)))
        if not self._taking.acquire(blocking=False):
            # Go's own words: scrapers know them.
            return refusal(500, "Could not enable CPU profiling: cpu profiling already in use")
        try:
            shown = f"{name}-delta" if self._sources.at_once(name) else name
            return attachment(shown, pprof.encode(take(seconds, ask.gone)))
        finally:
            self._taking.release()

    def _instant(self, name: str, ask: Ask) -> Reply:
        why = self._sources.unavailable[name]() if name in self._sources.unavailable else ""
        if why:
            return refusal(501, f"No profile {name}: {why}")
        debug = ask.query.get("debug", ["0"])[-1]
        if debug in ("", "0"):
            return attachment(name, pprof.encode(self._sources.instants[name]()))
        if debug == "1":
            return text(counted(self._sources.instants[name](), name))
        if name in self._sources.texts:
            return text(self._sources.texts[name]())
        return refusal(400, f"{name} has no such text: debug=1 is the one there is")

    def _index(self) -> Reply:
        served = {*self._sources.names(), "cmdline", "symbol"}
        items = "".join(_item(name, _ABOUT.get(name, ""), link=True) for name in sorted(served))
        missing = "".join(_item(name, why, link=False) for name, why in NO_SOURCE.items() if name not in served)
        body = (
            f"<header><h1>{PATH}/</h1>"
            '<p class="soft">Profiles in the format of pprof, under the paths of Go\'s net/http/pprof. A profile over a time is'
            f" taken one at a time and for {self._longest:g} seconds at most.</p></header>\n"
            f'<p>Types of profiles available:</p>\n<dl>\n{items}</dl>\n<p><a href="{PATH}/goroutine?debug=2">full stack dump'
            f" of all threads</a></p>\n<h2>Not here</h2>\n<dl>\n{missing}</dl>\n"
        )
        return html(document(f"{PATH}/", body))


def counted(profile: Profile, name: str) -> str:
    """Return what Go prints of a profile of counts for debug=1: a paragraph a stack with how many there are of it, most first."""
    counts: Counter[Stack] = Counter()
    for sample in profile.samples:
        counts[frames(sample)] += sample.values[0]
    paragraphs = [
        f"{number} @\n" + "".join(f"#\t{frame.name}\t{frame.file}:{frame.line}\n" for frame in stack)
        for stack, number in counts.most_common()
    ]
    return f"{name} profile: total {sum(counts.values())}\n" + "\n".join(paragraphs)


def attachment(name: str, data: bytes) -> Reply:
    """Return a file as Go serves its profiles: the name without an ending."""
    return Reply(data, BINARY, headers=(("Content-Disposition", f'attachment; filename="{name}"'),))


def refusal(status: int, reason: str) -> Reply:
    """Return one line of text with the header by which `go tool pprof` knows that it may show it."""
    return Reply(f"{reason}\n".encode(), TEXT, status, (("X-Go-Pprof", "1"),))


def _missing(name: str) -> Reply:
    if name in NO_SOURCE:
        return refusal(501, f"No profile {name}: {NO_SOURCE[name]}")
    return refusal(404, f"Unknown profile: {PATH}/ lists what there is")


def _seconds(written: str, default: float) -> float | None:
    """Return the seconds asked for, or None where that is no number greater than 0."""
    if not written:
        return default
    try:
        seconds = float(written)
    except ValueError:
        return None
    return seconds if 0 < seconds < math.inf else None


def _item(name: str, about: str, *, link: bool) -> str:
    shown = escape(name)
    if link:
        href = f"{PATH}/{shown}" + ("?debug=1" if name in ("goroutine", "threadcreate") else "")
        shown = f'<a href="{href}">{shown}</a>'
    return f"<div><dt>{shown}</dt><dd>{escape(about)}</dd></div>\n"
