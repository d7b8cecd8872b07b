"""Whether a client still waits: what its end of a connection has done tells."""

from __future__ import annotations

import select
import socket

import pytest

from runtime_exporter.web.presence import has_left
from tools import wait_for


@pytest.fixture
def ends():
    """Our end of a connection, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours, client:
        yield ours, client


@pytest.fixture(params=["as here", "as where no poll tells of it"], autouse=True)
def _system(request, monkeypatch):
    if request.param != "as here":
        monkeypatch.delattr(select, "POLLRDHUP", raising=False)


def test_a_client_that_says_nothing_is_there(ends):
    ours, _ = ends
    assert not has_left(ours)


def test_a_client_that_sends_more_is_there_and_nothing_of_it_is_taken(ends):
    ours, client = ends
    client.sendall(b"more")
    assert select.select([ours], [], [], 60)[0]
    assert not has_left(ours)
    assert b"more" == ours.recv(10)


@pytest.mark.parametrize("leave", [socket.socket.close, lambda client: client.shutdown(socket.SHUT_WR)])
def test_a_client_that_closed_or_sends_no_more_has_left(ends, leave):
    ours, client = ends
    leave(client)
    wait_for(lambda: has_left(ours), what="the end of the connection")


def test_of_a_connection_that_we_closed_the_client_has_left(ends):
    ours, _ = ends
    ours.close()
    assert has_left(ours)
