"""Requests as Pyroscope takes profiles: /ingest, which its own agents use, and PusherService/Push, which Alloy uses.

Read in grafana/pyroscope: pkg/ingester/pyroscope/ingest_handler.go, pkg/og/convert/pprof/profile.go, api/push/v1/push.proto.
"""

from __future__ import annotations

import base64
import json
import math
import re
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

AGENT: Final = "runtime-exporter"
"""Who took the profiles. Of those called "pyspy" the server rewrites every function's name."""
_INTERVAL = {"aggregation": "sum", "cumulative": False}
_INSTANT = {"aggregation": "average", "cumulative": False}
_TIME = {**_INTERVAL, "sampled": True}
_HEAP = {
    "alloc_objects": {**_INTERVAL, "units": "objects"},
    "alloc_space": {**_INTERVAL, "units": "bytes"},
    "inuse_objects": {**_INSTANT, "units": "objects"},
    "inuse_space": {**_INSTANT, "units": "bytes"},
}
# Kind -> its name as Alloy has it, and what /ingest needs to know of its sample types: it takes the name of a profile from
# their display names, without which a block profile would be one of mutexes. Nothing is cumulative: a profile is of its interval.
_KINDS: Final[Mapping[str, tuple[str, Mapping[str, Mapping[str, object]]]]] = {
    "cpu": (
        "process_cpu",
        {
            "samples": {**_TIME, "units": "samples", "display-name": "cpu_samples"},
            "cpu": {**_TIME, "units": "nanoseconds", "display-name": "cpu"},
        },
    ),
    "wall": (
        "wall",
        {
            "samples": {**_TIME, "units": "samples", "display-name": "wall_samples"},
            "wall": {**_TIME, "units": "nanoseconds", "display-name": "wall"},
        },
    ),
    "block": (
        "block",
        {
            "contentions": {**_INTERVAL, "units": "lock_samples", "display-name": "block_count"},
            "delay": {**_INTERVAL, "units": "lock_nanoseconds", "display-name": "block_duration"},
        },
    ),
    "mutex": (
        "mutex",
        {
            "contentions": {**_INTERVAL, "units": "lock_samples", "display-name": "mutex_count"},
            "delay": {**_INTERVAL, "units": "lock_nanoseconds", "display-name": "mutex_duration"},
        },
    ),
    "heap": ("memory", _HEAP),
    "allocs": ("memory", _HEAP),
    "goroutine": ("goroutine", {"goroutine": {**_INSTANT, "units": "goroutines", "display-name": "goroutines"}}),
}
KINDS: Final = frozenset(_KINDS)
"""The kinds of profiles that Pyroscope has a name for."""
_NO_LABEL_NAME = re.compile(r"[^A-Za-z0-9_]")
# What ends a value in app{name=value,...}: there is no way to quote it.
_NO_LABEL_VALUE = re.compile(r"[{}=,\s]+")


class Item(NamedTuple):
    """A profile to be sent. `data` is gzipped pprof, `begin` and `end` are seconds since the epoch."""

    kind: str
    data: bytes
    begin: float
    end: float
    labels: Mapping[str, str]


class Request(NamedTuple):
    """What is POSTed: the path with its query, below the server's own address."""

    path: str
    content_type: str
    body: bytes


def ingest(item: Item, application: str) -> Request:
    """Return the request to /ingest: a form with the profile and with what its sample types are.

    There is no `format=pprof` in the query: with it the server takes the whole body for the profile.
    """
    labels = ",".join(f"{name}={_NO_LABEL_VALUE.sub('_', value)}" for name, value in _labels(item.labels).items())
    query = {
        "name": f"{application}{{{labels}}}",
        "from": math.floor(item.begin),
        "until": math.ceil(item.end),
        "spyName": AGENT,
    }
    boundary = f"profile-{uuid.uuid4().hex}"
    config = json.dumps(_KINDS[item.kind][1]).encode()
    parts = (
        _part(boundary, "profile", "profile.pprof", "application/octet-stream", item.data),
        _part(boundary, "sample_type_config", "sample_type_config.json", "application/json", config),
    )
    body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    return Request(f"/ingest?{urlencode(query)}", f"multipart/form-data; boundary={boundary}", body)


def push(item: Item, application: str) -> Request:
    """Return the request to PusherService/Push, in the JSON of the Connect protocol."""
    labels = {
        **_labels(item.labels),
        "__name__": _KINDS[item.kind][0],
        "__delta__": "false",  # the server need not subtract the profile before from this one
        "pyroscope_spy": AGENT,
        "service_name": application,
    }
    series = {
        "labels": [{"name": name, "value": value} for name, value in sorted(labels.items())],
        "samples": [{"ID": str(uuid.uuid4()), "rawProfile": base64.b64encode(item.data).decode()}],
    }
    return Request("/push.v1.PusherService/Push", "application/json", json.dumps({"series": [series]}).encode())


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels with names that the server takes; an empty value is no label."""
    return {_label_name(name): value for name, value in sorted(labels.items()) if value}


def _label_name(name: str) -> str:
    clean = _NO_LABEL_NAME.sub("_", name)
    return f"_{clean}" if clean[:1].isdigit() else clean


def _part(boundary: str, name: str, file: str, content_type: str, data: bytes) -> bytes:
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return head.encode() + data + b"\r\n"
