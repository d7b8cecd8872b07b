"""One port for the workers of a directory, and for nobody else."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import closing

import pytest

from runtime_exporter.errors import ConfigError
from runtime_exporter.metrics.workers.slots import take
from runtime_exporter.prefork.peers import Peers
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
            listener = super().listen(self.worker)
            sockets.extend([listener] if listener else [])
            return listener

    def make(directory="run", address="127.0.0.1", where=number):
        (tmp_path / directory).mkdir(exist_ok=True)
        port = Port(tmp_path / directory, address, where, lambda _: "argument")
        slot = take(tmp_path / directory)
        port.worker = slot.name.slot
        made.extend([port, slot])
        return port

    yield make
    for one in (*made, *sockets):
        one.close()


def test_every_worker_of_a_directory_listens(port, number):
    assert [number, number] == [port().listen().getsockname()[1] for _ in range(2)]


def test_whoever_is_free_takes_what_comes_to_any_of_them_so_that_one_that_is_stuck_keeps_nobody_waiting(port, number):
    one, other = port(), port()
    stuck, free = one.listen(), other.listen()
    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", number), timeout=5)):
            taken, _ = free.accept()
            taken.close()
    stuck.close()
    one.close()
    with closing(socket.create_connection(("127.0.0.1", number), timeout=5)):
        taken, _ = port().listen().accept()  # handed on by one that did not begin
        taken.close()


def test_a_worker_listens_for_itself_where_none_of_the_others_hands_over_its_socket(port, tmp_path, number):
    first, second = port(), port()
    listener = first.listen()
    first._handover.close()  # as one that is stopped: it is there, and says nothing
    with closing(Peers(tmp_path / "run", "port").listen(first.worker)):
        beside = second.listen()
    assert number == beside.getsockname()[1]
    assert not os.path.sameopenfile(listener.fileno(), beside.fileno())


def test_a_socket_of_another_address_or_network_is_not_taken(port, monkeypatch):
    first = port()
    first.listen()
    first._handover.ask(9).close()
    assert None is port(address="127.0.0.2")._handover.ask(9)
    monkeypatch.setattr("runtime_exporter.prefork.handover._network", lambda: "net:[1]")
    assert None is port()._handover.ask(9)


def test_files_that_somebody_removed_are_made_anew(port, tmp_path):
    first = port()
    listener = first.listen()
    for name in (f"{first.worker}.port", first._file.name):
        (tmp_path / "run" / name).unlink()
    first.renew(first.worker)
    assert os.path.sameopenfile(listener.fileno(), port().listen().fileno())


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


def test_workers_of_another_port_in_the_same_directory_are_told_of_since_they_may_be_another_service(port, caplog):
    gone, first, second = port(where=free_port()), port(), port(where=free_port())
    gone.listen().close()
    gone.close()
    first.listen()
    assert [] == caplog.messages
    second.listen()
    (line,) = caplog.messages
    assert f"listen at port {first._place[1]} live here" in line


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
    shutil.rmtree(tmp_path / "run")
    assert made.listen()


def test_an_address_that_is_wrong_is_told(port):
    with pytest.raises(ConfigError, match="address"):
        port(address="203.0.113.1").listen()
