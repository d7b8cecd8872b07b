"""One port for the workers of a directory, and for nobody else."""

from __future__ import annotations

import pytest

from runtime_exporter.errors import ConfigError
from runtime_exporter.prefork.port import SharedPort
from tools import free_port


@pytest.fixture
def number():
    return free_port()


@pytest.fixture
def port(tmp_path, number):
    """Make ports; what they hold is let go afterwards."""
    made, sockets = [], []

    class Port(SharedPort):
        def listen(self):
            listener = super().listen()
            sockets.extend([listener] if listener else [])
            return listener

    def make(directory="run", address="127.0.0.1", where=number):
        (tmp_path / directory).mkdir(exist_ok=True)
        made.append(Port(tmp_path / directory, address, where, lambda _: "argument"))
        return made[-1]

    yield make
    for one in (*made, *sockets):
        one.close()


def test_every_worker_of_a_directory_listens(port, number):
    assert [number, number] == [port().listen().getsockname()[1] for _ in range(2)]


def test_who_shares_another_directory_waits_until_nobody_listens_and_says_so_once(port, caplog):
    first, second = port(), port("other")
    listener = first.listen()
    assert (None, None) == (second.listen(), second.listen())
    (line,) = caplog.messages
    assert "does not share" in line

    listener.close()
    first.close()
    assert second.listen()
    assert None is first.listen()


def test_the_child_of_a_fork_stands_in_for_a_worker_that_is_gone(port):
    worker, child = port(), port()
    listener = worker.listen()
    child.forked()
    assert None is child.listen()

    listener.close()
    worker.close()
    assert child.listen()
    assert worker.listen()  # one that comes later listens beside it


def test_a_port_that_the_system_chooses_is_each_ones_own(port):
    chosen = {port(where=0).listen().getsockname()[1] for _ in range(2)}
    assert 2 == len(chosen)


def test_a_directory_that_is_gone_is_no_reason_not_to_listen(port, tmp_path):
    made = port()
    (tmp_path / "run").rmdir()
    assert made.listen()


def test_an_address_that_is_wrong_is_told(port):
    with pytest.raises(ConfigError, match="address"):
        port(address="203.0.113.1").listen()
