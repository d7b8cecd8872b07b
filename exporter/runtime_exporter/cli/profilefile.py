"""What the verbs on profiles share: reading a file, choosing a sample type, and saying what is in it."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pprof import decode

if TYPE_CHECKING:
    from runtime_exporter.profiling.profile import Profile

argument = click.argument("file", metavar="FILE")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON: every amount in the unit that it names."
)
sample_type_option = click.option(
    "--sample-type",
    metavar="TYPE",
    default="",
    help="Which value to show, such as inuse_space; default: what pprof shows.",
)


def read(file: str) -> Profile:
    """Return the profile in a file, or of standard input for `-`. Raises ProfileError and OSError, with the file's name."""
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return decode(data)
    except ProfileError as error:
        raise ProfileError(f"{called(file)}: {error}") from None


def read_two(before: str, after: str, sample_type: str = "") -> tuple[Profile, Profile]:
    """Return two profiles that are to be compared, which both have the sample type. Raises as `read` and `check_sample_type` do."""
    if before == after == "-":
        raise click.UsageError("only one of the two profiles can come from standard input")
    profiles = read(before), read(after)
    for profile in profiles:
        check_sample_type(profile, sample_type)
    return profiles


def called(file: str) -> str:
    """Return what a file is called in a message."""
    return "standard input" if file == "-" else file


def echo_json(value: object) -> None:
    """Write a value as JSON for people and programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def about(profile: Profile) -> dict[str, object]:
    """Return when a profile was taken, in Unix seconds, and for how long; null is unknown."""
    return {
        "begin": profile.time_nanos / 1e9 or None,
        "duration_seconds": profile.duration_nanos / 1e9 or None,
        "comments": list(profile.comments),
    }


def check_sample_type(profile: Profile, sample_type: str) -> None:
    """Refuse a sample type that a profile does not have, as the wrong usage that it is."""
    try:
        profile.index(sample_type)
    except ProfileError as error:
        raise click.BadParameter(str(error), param_hint="--sample-type") from None


def describe(profile: Profile, sample_type: str = "") -> str:
    """Return in a line what was measured, when and for how long, as far as the profile says it."""
    chosen = profile.sample_types[profile.index(sample_type)]
    words = [f"{chosen.type} ({chosen.unit})"]
    if profile.mappings and profile.mappings[0].filename:
        words.append(f"of {PurePath(profile.mappings[0].filename).name}")
    if profile.time_nanos > 0:
        begin = datetime.fromtimestamp(profile.time_nanos // 10**9, tz=timezone.utc)
        words.append(f"at {begin:%Y-%m-%d %H:%M:%S} UTC")
    if profile.duration_nanos > 0:
        words.append(f"{profile.duration_nanos / 1e9:.4g} s long")
    return ", ".join(words)
