"""The Accept-Encoding header (RFC 9110, 12.5.3)."""

from __future__ import annotations


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the client takes gzip: it is named, or "*" is, with a quality above 0."""
    qualities = dict(_qualities(accept_encoding))
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


def _qualities(header: str) -> list[tuple[str, float]]:
    return [_quality(entry) for entry in header.split(",") if entry.strip()]


def _quality(entry: str) -> tuple[str, float]:
    coding, *parameters = (part.strip().lower() for part in entry.split(";"))
    text = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
    try:
        return coding, float(text)
    except ValueError:
        return coding, 0.0
