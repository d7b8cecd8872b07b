"""`runtime-exporter advice FILE...`: what profiles recommend to change, with the evidence and with when it is wrong."""

from __future__ import annotations

import contextlib
import textwrap
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runtime_exporter.cli import profilefile
from runtime_exporter.cli.service import of_url, shown, watched
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.advice import RULES, advise, silenced
from runtime_exporter.profiling.filed import evidence_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runtime_exporter.profiling.advice import Evidence, Recommendation
    from runtime_exporter.profiling.profile import Profile

_FINDINGS = 1
_WIDTH = 110
_WINDOWS = ("cpu", "wall")
# What a service may serve besides, and rules read.
_INSTANTS = ("block", "mutex", "heap", "goroutineleak")


@click.command(name="advice")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--url", help="A service that serves /debug/pprof/: its profiles are taken now, one after the other.")
@click.option(
    "--seconds", type=click.IntRange(min=1), default=30, show_default=True, help="How long each profile of --url takes."
)
@click.option("-v", "--verbose", is_flag=True, help="Say of each silent rule why it may not speak.")
@profilefile.json_option
def command(*, files: Sequence[str], url: str | None, seconds: int, verbose: bool, as_json: bool) -> int:
    """Say what to change in a program, by its profiles.

    Each FILE is a profile in pprof's format, of Python or Go; - is standard input. Those of one kind count together, those of
    several kinds (cpu, wall, block, mutex, heap, goroutineleak) let more rules speak. Numbers that only the running process has
    (collections, the quota, its memory) are in no file: /api/v1/recommendations of a service knows them.

    Exit code 1: there is a recommendation. 0: there is none.
    """
    if bool(files) == bool(url):
        raise click.UsageError("either files or --url are needed")
    profiles, left_out = _taken(url, seconds) if url else (_read(files), {})
    evidence = evidence_of(profiles)
    found, silent = advise(evidence), silenced(evidence)
    if as_json:
        profilefile.echo_json(_content(evidence, found, silent, left_out))
    else:
        click.echo("\n".join(_lines(evidence, found, silent, left_out, verbose=verbose)))
    return _FINDINGS if found else 0


def _read(files: Sequence[str]) -> dict[str, list[Profile]]:
    """Return profiles by kind. Raises ProfileError for one that no rule could read."""
    profiles: dict[str, list[Profile]] = {}
    for file in files:
        profile = profilefile.read(file)
        kind = kind_of(profile)
        if not kind:
            types = ", ".join(value_type.type for value_type in profile.sample_types) or "nothing"
            raise ProfileError(f"{profilefile.called(file)}: a profile of {types}, on which there is no advice")
        profiles.setdefault(kind, []).append(profile)
    return profiles


def _taken(url: str, seconds: int) -> tuple[dict[str, list[Profile]], dict[str, str]]:
    """Return what a service serves by kind, and why of the rest; raises ProfileError where it serves nothing."""
    profiles: dict[str, list[Profile]] = {}
    left_out: dict[str, str] = {}
    for kind in (*_WINDOWS, *_INSTANTS):
        with _noting(left_out, kind):  # such as wall of Go, or mutex of Python
            lasts = seconds if kind in _WINDOWS else 0
            data = watched(of_url(url, kind, lasts), f"{kind} profile of {shown(url)}", lasts)
            profiles[kind] = [pprof.decode(data)]
    if not profiles:
        raise ProfileError(next(iter(left_out.values())))
    return profiles, left_out


@contextlib.contextmanager
def _noting(left_out: dict[str, str], kind: str) -> Iterator[None]:
    """Note why there is no profile of a kind."""
    try:
        yield
    except ProfileError as error:
        left_out[kind] = str(error)


def _content(
    evidence: Evidence, found: Sequence[Recommendation], silent: Mapping[str, str], left_out: Mapping[str, str]
) -> dict[str, object]:
    return {
        "language": evidence.language,
        "window_seconds": evidence.window,
        "backend": evidence.backend,
        "bias": evidence.bias,
        "profiles": {kind: {"samples": one.samples, "total": one.total} for kind, one in evidence.profiles.items()},
        "recommendations": [asdict(one) for one in found],
        "silent": dict(silent),
        "left_out": dict(left_out),
    }


def _lines(
    evidence: Evidence,
    found: Sequence[Recommendation],
    silent: Mapping[str, str],
    left_out: Mapping[str, str],
    *,
    verbose: bool,
) -> Iterator[str]:
    for one in found:
        yield from _recommendation(one)
        yield ""
    asked = sum(rule.language in {"any", evidence.language} for rule in RULES)
    yield f"{_number(len(found), 'recommendation')}; {asked - len(silent)} of {asked} rules for {evidence.language} could look"
    if verbose:
        yield from (f"  {name}: {why}" for name, why in silent.items())
        yield from (f"  {kind}: {why}" for kind, why in left_out.items())
    elif silent:
        reasons = Counter(silent.values()).most_common()
        yield "the others could not: " + "; ".join(f"{why} ({number})" for why, number in reasons)


def _recommendation(one: Recommendation) -> Iterator[str]:
    gain = "" if one.gain_upper_bound is None else f", at most {one.gain_upper_bound:.0%} of {one.gain_of}"
    yield f"{one.severity.upper()} {one.title} [{one.rule}{gain}]"
    yield from _wrapped("", one.claim)
    yield from _wrapped("do: ", one.what_to_do)
    yield from _wrapped("verify: ", one.how_to_verify)
    yield from _wrapped("wrong when: ", one.wrong_when)
    yield from _wrapped("evidence: ", ", ".join(f"{name} {_written(value)}" for name, value in one.evidence.items()))


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(head + text, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _written(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
