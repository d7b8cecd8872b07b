"""What a peer tells of itself in what it uploads."""

from __future__ import annotations

import http.client

import pytest
from benchmarks.uploads import Uploads


@pytest.fixture
def uploads():
    uploads = Uploads()
    yield uploads
    uploads.close()


def upload(uploads, body, *, chunked=False):
    connection = http.client.HTTPConnection(uploads.url.removeprefix("http://"), timeout=10)
    pieces = iter([body[:7], body[7:]]) if chunked else body
    connection.request("POST", "/input", pieces, encode_chunked=chunked)
    status = connection.getresponse().status
    connection.close()
    return status


BODY = b'--x\r\n\r\n{"internal": {"sample_count":2295,"sampling_event_count":459}}\r\n--x--'


@pytest.mark.parametrize("chunked", [False, True])
def test_a_number_is_read_from_an_upload_whole_or_in_chunks(uploads, chunked):
    assert 200 == upload(uploads, BODY, chunked=chunked)
    assert 459 == uploads.number(b"sampling_event_count")
    assert 2295 == uploads.number(b"sample_count")


def test_of_several_uploads_the_largest_number_is_told(uploads):
    upload(uploads, b"nothing of that kind")
    upload(uploads, BODY)
    upload(uploads, b'{"sampling_event_count": 1}')

    assert 459 == uploads.number(b"sampling_event_count")


def test_what_nobody_has_told_is_nothing(uploads, monkeypatch):
    monkeypatch.setattr("benchmarks.uploads._PATIENCE_SECONDS", 0.01)

    assert 0 == uploads.number(b"sampling_event_count")
