"""The trace that a request belongs to, for exemplars: OpenTelemetry's current span, else the W3C `traceparent` header."""

from __future__ import annotations

import re
import sys
from typing import Final

# W3C Trace Context, level 1, section 3.2: version "-" trace-id "-" parent-id "-" flags. Version 00 has nothing after the
# flags, a later one may; version ff is forbidden. Upper case is invalid.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
SDK: Final = "opentelemetry.sdk.trace"
"""The module without which there are no spans: the API alone is loaded by frameworks that trace nothing, such as FastAPI."""

_LONGEST: Final = 512
_SAMPLED: Final = 1


def exemplar(traceparent: str | None) -> dict[str, str] | None:
    """Return the labels of an exemplar, trace_id and span_id in hexadecimal, or None where no sampled trace is known."""
    if SDK in sys.modules:
        labels = _current_span()
        if labels is not None:
            return labels
    return None if traceparent is None else parse(traceparent)


def parse(traceparent: str) -> dict[str, str] | None:
    """Return trace_id and span_id of a `traceparent` header, or None where it is malformed or the trace is not sampled."""
    match = _TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= _LONGEST else None
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if (version == "00" and rest is not None) or not int(flags, 16) & _SAMPLED:
        return None
    return {"trace_id": trace_id, "span_id": span_id}


def _current_span() -> dict[str, str] | None:
    context = sys.modules["opentelemetry.trace"].get_current_span().get_span_context()
    if not context.is_valid or not context.trace_flags.sampled:
        return None
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
