"""Records in an append-only file: length, checksum, JSON. A record that is cut or damaged ends the log for the reader.

A process may be killed in the middle of a write and a disk may be full, so a reader never takes a record for whole
that is not. What it could not read yet it tries again the next time.
"""

from __future__ import annotations

import json
from binascii import crc32
from struct import Struct
from typing import Any, Final

_HEAD: Final = Struct("<II")
LONGEST: Final = 1 << 26
"""Bytes of the longest record that is believed: more is damage."""


def encode(*record: Any) -> bytes:
    """Return a record as bytes."""
    body = json.dumps(record, separators=(",", ":")).encode()
    return _HEAD.pack(len(body), crc32(body)) + body


def decode(data: bytes) -> tuple[list[list[Any]], int]:
    """Return the whole records at the beginning of `data`, and how many bytes they are."""
    records: list[list[Any]] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if length > LONGEST or end > len(data):
            break
        body = data[at + _HEAD.size : end]
        if crc32(body) != checksum:
            break
        try:
            record = json.loads(body.decode())
        except (ValueError, RecursionError):
            break
        if not isinstance(record, list) or not record:
            break
        records.append(record)
        at = end
    return records, at
