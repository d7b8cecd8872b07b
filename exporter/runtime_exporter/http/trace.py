"""The trace that a request belongs to, for exemplars: OpenTelemetry's current span, or the W3C `traceparent` header."""

from __future__ import annotations

import re
import sys
from typing import Any, Final

# W3C Trace Context, level 1, section 3.2: version "-" trace-id "-" parent-id "-" flags. Version 00 has nothing after the
# flags, a later one may; version ff is forbidden. Upper case is invalid.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
SDK: Final = "opentelemetry.sdk.trace"
"""The module without which there are no spans: the API alone is loaded by frameworks that trace nothing, such as FastAPI."""

_LONGEST: Final = 512
_SAMPLED: Final = 1


def parse(traceparent: str) -> dict[str, str] | None:
    """Return trace_id and span_id of a `traceparent` header, or None where it is malformed or the trace is not sampled."""
    match = _TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= _LONGEST else None
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if (version == "00" and rest is not None) or not int(flags, 16) & _SAMPLED:
        return None
    return {"trace_id": trace_id, "span_id": span_id}


def current() -> Any:
    """Return the context of OpenTelemetry's current span. To be asked only where SDK is loaded."""
    return sys.modules["opentelemetry.trace"].get_current_span().get_span_context()


def labels(context: Any) -> dict[str, str] | None:
    """Return trace_id and span_id of the context of a span, or None where there was no span or the trace is not sampled."""
    if not context.is_valid or not context.trace_flags.sampled:
        return None
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
