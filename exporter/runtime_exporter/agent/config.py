"""targets.yaml: the targets of an agent. Every mistake is one line with its place; nothing is half read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from runtime_exporter.configfile import read
from runtime_exporter.credentials import BASIC, Credentials
from runtime_exporter.nearest import did_you_mean
from runtime_exporter.settings import sections, types
from runtime_exporter.settings.sections import SectionReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MOST_TARGETS: Final = 200
"""Each has a thread and some MB of tables: more are for a second agent."""
INTERVAL_SECONDS: Final = 60.0
CPU_SECONDS: Final = 10.0
GO_KINDS: Final = ("cpu", "heap", "allocs", "goroutine", "mutex", "block", "goroutineleak")
"""What a Go process serves; one that it does not have, or has switched off, is left out."""
PROCESS_KINDS: Final = ("cpu", "wall")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_SIZE = re.compile(rf"([1-9]\d{{0,17}})({'|'.join(_UNITS)})?")
_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
# What Prometheus is told of each target by us.
_OWN_LABELS = frozenset({"job", "instance", "agent"})


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target, as configured: a Go service by its URL, or a Python process by its pid or its command line."""

    name: str
    url: str = ""
    """The base: what stands before /debug/pprof/."""
    pid: int = 0
    command: str = ""
    """A regular expression that is searched for in the command lines of this machine's processes."""
    kinds: tuple[str, ...] = ()
    interval: float = INTERVAL_SECONDS
    """Seconds from one look to the next."""
    seconds: float = CPU_SECONDS
    """How long a Go service's CPU, or a process's wall time, is profiled in each interval. A process's CPU is all the time."""
    job: str = ""
    instance: str = ""
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    credentials: Credentials | None = None
    ca_file: str = ""
    metrics_path: str = ""
    """Where a Go service serves go_* metrics; empty: they are not asked for."""
    memory_limit: int | None = None
    """Bytes that a Go service's container allows it, which it does not say itself: advice on GOGC rests on it."""


def load(path: Path, *, source: str = "argument") -> tuple[Target, ...]:
    """Return the targets in a file whose path was given in `source`. Raises `ConfigError`, one line that begins with the place."""
    file = read(path, setting="config", source=source)
    reader = _Reader(file)
    return reader.targets()


class _Reader(SectionReader):
    def targets(self) -> tuple[Target, ...]:
        values = self._file.values
        self._known("", values, ("targets", "interval", "seconds", "labels"))
        rows = values.get("targets")
        if not isinstance(rows, list) or not rows:
            self._fail("targets", "a list of targets is needed, each with a name and a url, a pid or a command")
        if len(rows) > MOST_TARGETS:
            self._fail("targets", f"{len(rows)} targets: one agent watches {MOST_TARGETS} at most")
        defaults = {
            "interval": self._parsed("", values, "interval", types.duration, INTERVAL_SECONDS),
            "seconds": self._parsed("", values, "seconds", types.duration, CPU_SECONDS),
            "labels": self._labels("", values),
        }
        found: list[Target] = []
        for number, row in enumerate(rows):
            target = self._target(f"targets.{number}", row, defaults)
            self._unlike_others(f"targets.{number}", target, found)
            found.append(target)
        return tuple(found)

    def _unlike_others(self, place: str, target: Target, others: list[Target]) -> None:
        for other in others:
            if other.name == target.name:
                self._fail(f"{place}.name", f"name = {target.name!r}: another target has this name")
            if target.url and other.url == target.url:
                self._fail(f"{place}.url", f"url = {target.url!r}: the target {other.name!r} has this url")

    def _target(self, place: str, row: Any, defaults: Mapping[str, Any]) -> Target:
        if not isinstance(row, dict):
            self._fail(place, "a target is a mapping with a name and a url, a pid or a command")
        self._known(place, row, _TARGET_KEYS)
        which = [key for key in ("url", "pid", "command") if row.get(key) is not None]
        if len(which) != 1:
            self._fail(place, f"one of url, pid and command is needed, not {' and '.join(which) or 'none'}")
        for key in _OF_URLS if which != ["url"] else ():
            if row.get(key) is not None:
                self._fail(f"{place}.{key}", f"{key} is for targets with a url")
        name = self._parsed(place, row, "name", sections.name)
        interval = self._parsed(place, row, "interval", types.duration, defaults["interval"])
        seconds = self._parsed(place, row, "seconds", types.duration, min(defaults["seconds"], interval))
        if seconds > interval:
            self._fail(f"{place}.seconds", f"seconds = {seconds:g}: longer than the interval of {interval:g} s")
        where: dict[str, Any] = {which[0]: self._parsed(place, row, which[0], _WHERE[which[0]], None)}
        kinds = GO_KINDS if which == ["url"] else PROCESS_KINDS
        return Target(
            name=name,
            **where,
            kinds=self._kinds(place, row, kinds, GO_KINDS if which == ["url"] else ("cpu",)),
            interval=interval,
            seconds=seconds,
            job=self._parsed(place, row, "job", types.text, name),
            instance=self._parsed(place, row, "instance", types.text, _instance(where, name)),
            version=self._parsed(place, row, "version", _text, ""),
            labels={**defaults["labels"], **self._labels(place, row)},
            credentials=self._credentials(place, row),
            ca_file=self._ca_file(place, row),
            metrics_path=self._parsed(place, row, "metrics_path", types.url_path, ""),
            memory_limit=self._parsed(place, row, "memory_limit", _size, 0) or None,
        )

    def _kinds(
        self, place: str, row: Mapping[str, Any], known: tuple[str, ...], usual: tuple[str, ...]
    ) -> tuple[str, ...]:
        value = row.get("kinds")
        if value is None:
            return usual
        if not isinstance(value, list) or not value:
            self._fail(f"{place}.kinds", f"kinds: a list of some of {', '.join(known)} is needed")
        for kind in value:
            if kind not in known:
                hint = did_you_mean(str(kind), known) or f"; known are {', '.join(known)}"
                self._fail(f"{place}.kinds", f"kinds = {kind!r}: no such profile of this target{hint}")
        return tuple(kind for kind in known if kind in value)

    def _labels(self, place: str, row: Mapping[str, Any]) -> dict[str, str]:
        labels = self._section(place, row, "labels")
        for name, value in labels.items():
            key = f"{place}.labels.{name}".lstrip(".")
            if name in _OWN_LABELS:
                hint = f"; {name} is a key of the target" if name != "agent" else ""
                self._fail(key, f"labels: {name} is a label that the agent sets{hint}")
            if not _LABEL.fullmatch(name):
                self._fail(key, f"labels: {name!r} is no name of a label: letters, digits and '_', a letter first")
            if not isinstance(value, str):
                self._fail(key, f"labels: {name} = {value!r}: a text is needed")
        return labels

    def _credentials(self, place: str, row: Mapping[str, Any]) -> Credentials | None:
        if row.get("basic_auth") is not None and row.get("authorization") is not None:
            self._fail(f"{place}.authorization", "one of basic_auth and authorization, not both")
        basic = self._section(place, row, "basic_auth")
        if basic:
            place = f"{place}.basic_auth"
            self._known(place, basic, ("username", "password_file"))
            user = self._parsed(place, basic, "username", types.text, None)
            return Credentials(BASIC, self._file_of(place, basic, "password_file"), user)
        bearer = self._section(place, row, "authorization")
        if bearer:
            place = f"{place}.authorization"
            self._known(place, bearer, ("type", "credentials_file"))
            scheme = self._parsed(place, bearer, "type", types.text, "Bearer")
            return Credentials(scheme, self._file_of(place, bearer, "credentials_file"))
        return None

    def _ca_file(self, place: str, row: Mapping[str, Any]) -> str:
        section = self._section(place, row, "tls_config")
        self._known(f"{place}.tls_config", section, ("ca_file",))
        return str(self._file_of(f"{place}.tls_config", section, "ca_file")) if section else ""

    def _file_of(self, place: str, row: Mapping[str, Any], key: str) -> Path:
        """Return the path of a file, one beside this file where it is relative; it has to be there."""
        written = self._parsed(place, row, key, types.optional_path, None)
        path = self._file.path.parent / str(written)
        try:
            path.open("rb").close()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._fail(f"{place}.{key}", f"{key} = {str(path)!r}: {reason}")
        return path


def _url(value: object) -> str:
    """Return a URL without /debug/pprof and what follows."""
    wanted = "a URL such as http://127.0.0.1:6060 is needed"
    if not isinstance(value, str):
        raise ValueError(wanted)  # noqa: TRY004 - every wrong value is one kind of error here
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(wanted)
    if parts.username or parts.password:
        raise ValueError("no user and password here: use basic_auth with a password_file")
    _ = parts.port  # raises where that is no number
    return value.rstrip("/").removesuffix("/debug/pprof").rstrip("/")


def _pattern(value: object) -> str:
    try:
        return re.compile(types.text(value)).pattern
    except re.error as error:
        raise ValueError(f"a regular expression is needed ({error})") from None


def _text(value: object) -> str:
    """Return a text; 1.2 of YAML is one, too."""
    return types.text(str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value)


def _size(value: object) -> int:
    """Return bytes, as GOMEMLIMIT is written: 536870912, or 512MiB."""
    match = _SIZE.fullmatch(str(value)) if not isinstance(value, bool) else None
    if match is None:
        raise ValueError("bytes are needed, such as 512MiB")
    return int(match[1]) << 10 * _UNITS.index(match[2] or "B")


def _instance(where: Mapping[str, Any], name: str) -> str:
    return urlsplit(where["url"]).netloc if "url" in where else name


_WHERE: Mapping[str, Callable[[Any], Any]] = {"url": _url, "pid": types.positive_integer, "command": _pattern}
_OF_URLS = ("basic_auth", "authorization", "tls_config", "metrics_path", "memory_limit")
_TARGET_KEYS = (
    *("name", "url", "pid", "command", "kinds", "interval", "seconds", "job", "instance", "version", "labels"),
    *_OF_URLS,
)
