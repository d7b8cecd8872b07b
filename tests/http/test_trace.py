"""The W3C traceparent header: what is a trace, and what is nothing."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.http import trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_sampled_trace_is_an_exemplar():
    assert {"trace_id": TRACE, "span_id": SPAN} == trace.parse(f"00-{TRACE}-{SPAN}-01")


def test_a_later_version_may_say_more():
    assert {"trace_id": TRACE, "span_id": SPAN} == trace.parse(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings")


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}-00",  # not sampled
        f"00-{TRACE}-{SPAN}-01-more",  # version 00 says no more
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0g",
        f"cc-{TRACE}-{SPAN}-01" + "-x" * 10_000,
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
    ],
)
def test_what_is_malformed_or_not_sampled_is_nothing(header):
    assert trace.parse(header) is None


@given(st.text(alphabet=string.hexdigits + "-", max_size=70) | st.text(max_size=70))
def test_any_text_gives_two_ids_in_lower_case_hexadecimal_or_nothing(header):
    labels = trace.parse(header)
    assert labels is None or (len(labels["trace_id"]), len(labels["span_id"])) == (32, 16)


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_every_well_formed_header_is_read_back(trace_id, span_id, flags):
    labels = trace.parse(f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}")
    expected = {"trace_id": f"{trace_id:032x}", "span_id": f"{span_id:016x}"} if flags & 1 else None
    assert expected == labels


@pytest.mark.parametrize(
    ("sampled", "expected"), [(1, {"trace_id": f"{0xABC:032x}", "span_id": f"{0xDEF:016x}"}), (0, None)]
)
def test_the_current_span_of_opentelemetry_is_an_exemplar_if_it_is_sampled(sampled, expected):
    otel = pytest.importorskip("opentelemetry.trace")
    context = otel.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=otel.TraceFlags(sampled))
    with otel.use_span(otel.NonRecordingSpan(context)):
        assert expected == trace.labels(trace.current())


def test_where_no_span_is_current_there_is_no_exemplar():
    pytest.importorskip("opentelemetry.trace")
    assert trace.labels(trace.current()) is None
