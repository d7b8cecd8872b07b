"""The log of a worker: what was written whole is read, whatever follows."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime_exporter.metrics.workers import log
from runtime_exporter.metrics.workers.life import Keys

TEXT = st.text(max_size=20)
RECORDS = st.lists(
    st.lists(st.recursive(st.integers() | TEXT, lambda inner: st.lists(inner, max_size=3)), min_size=1), max_size=6
)


@settings(max_examples=40)
@given(records=RECORDS, cut=st.integers(0, 400))
def test_what_is_whole_before_a_cut_is_read_and_nothing_else(records, cut):
    parts = [log.encode(*record) for record in records]
    whole = b"".join(parts)
    cut = min(cut, len(whole))
    found, length = log.decode(whole[:cut])
    count = len(found)
    assert records[:count] == found
    assert length == sum(map(len, parts[:count])) <= cut
    assert count == len(records) or length + len(parts[count]) > cut


@settings(max_examples=40)
@given(records=RECORDS.filter(bool), where=st.integers(0), bit=st.integers(0, 7))
def test_a_record_with_a_bit_turned_ends_the_log(records, where, bit):
    whole = bytearray(b"".join(log.encode(*record) for record in records))
    where %= len(whole)
    whole[where] ^= 1 << bit
    found, length = log.decode(bytes(whole))
    assert records[: len(found)] == found
    assert len(found) < len(records)
    assert length <= where


@settings(max_examples=40)
@given(data=st.binary(max_size=200))
def test_no_bytes_make_a_reader_raise(data):
    found, length = log.decode(data)
    Keys().apply(found, 100)
    assert length <= len(data)


@pytest.mark.parametrize("body", [b"[]", b"{}", b"1", b'"a"', b"null", b"[", b"\xff", b"[" * 100_000])
def test_what_is_whole_but_no_record_ends_the_log(body):
    first, last = log.encode("a", 1), log.encode("b", 2)
    alien = log._HEAD.pack(len(body), zlib.crc32(body)) + body
    assert ([["a", 1]], len(first)) == log.decode(first + alien + last)


def test_a_record_longer_than_is_believed_ends_the_log(monkeypatch):
    first, last = log.encode("a", 1), log.encode("b", "long")
    monkeypatch.setattr(log, "LONGEST", len(last) - log._HEAD.size)
    assert ([["a", 1], ["b", "long"]], len(first + last)) == log.decode(first + last)
    monkeypatch.setattr(log, "LONGEST", len(last) - log._HEAD.size - 1)
    assert ([["a", 1]], len(first)) == log.decode(first + last)


KINDS = st.sampled_from(["family", "series", "pairs", "removed", "ended", "begun", "none"])
ANYTHING = st.recursive(
    st.none() | st.integers(-2, 200) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40)
@given(records=st.lists(st.tuples(KINDS, ANYTHING, ANYTHING, ANYTHING).map(list), max_size=8))
def test_no_records_make_a_reader_raise_or_look_beyond_the_cells(records):
    keys = Keys()
    keys.apply([["family", 0, 0, COUNTER], ["series", 0, [[["x"], 1]]], *records], 100)
    assert all(0 <= entry.cell < entry.end <= 100 for entry in keys.entries.values())


COUNTER = {
    "type": "counter",
    "name": "c",
    "documentation": "C",
    "labelnames": ["a"],
    "unit": "",
    "detail": [],
    "mode": "sum",
    "per_worker": False,
}
