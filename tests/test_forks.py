"""What follows a fork: once in each child, whether Python or uWSGI tells of it."""

from __future__ import annotations

import os
import sys
import types

import pytest

from runtime_exporter import forks


def in_a_child(action):
    """Return what `action()` returns in a forked child, as text."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - another process
        try:
            os.write(write, str(action()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


@pytest.fixture
def children(monkeypatch):
    """The registry of a process that has just begun."""
    fresh = forks._Children()
    monkeypatch.setattr(forks, "_CHILDREN", fresh)
    return fresh


@pytest.fixture
def uwsgi(monkeypatch):
    """uWSGI's module, as it is where no function of the decorators' module can be had."""
    module = types.ModuleType("uwsgi")
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    monkeypatch.setitem(sys.modules, "uwsgidecorators", None)
    return module


def test_a_callback_is_called_in_the_child_and_not_in_the_parent():
    called = []
    forks.after_in_child(lambda: called.append(os.getpid()))
    try:
        assert in_a_child(lambda: called == [os.getpid()]) == "True"
        assert [] == called
    finally:
        forks._CHILDREN._callbacks.pop()


def test_a_child_that_is_told_twice_of_its_fork_calls_once(children):
    called = []
    children.add(lambda: called.append(1))

    def told_twice():
        children.begin()
        children.begin()
        return called

    assert in_a_child(told_twice) == "[1]"


def test_a_callback_that_raises_does_not_keep_the_next_from_being_called(children):
    called = []
    children.add(lambda: 1 / 0)
    children.add(lambda: called.append("next"))

    def told():
        children.begin()
        return called

    assert in_a_child(told) == "['next']"


def test_uwsgi_is_asked_once_and_keeps_the_hook_that_was_there(children, uwsgi):
    called = []
    uwsgi.post_fork_hook = lambda: called.append("theirs")
    children.add(lambda: called.append("first"))
    children.add(lambda: called.append("second"))

    def told():
        uwsgi.post_fork_hook()
        return called

    assert in_a_child(told) == "['first', 'second', 'theirs']"


def test_uwsgis_own_list_is_taken_where_there_is_one(children, uwsgi, monkeypatch):
    functions = []
    decorators = types.ModuleType("uwsgidecorators")
    decorators.postfork = functions.append
    monkeypatch.setitem(sys.modules, "uwsgidecorators", decorators)
    forks.after_uwsgi_fork(print)
    assert [children.begin, print] == functions
    assert not hasattr(uwsgi, "post_fork_hook")


@pytest.mark.parametrize(
    ("worker", "master", "expected"),
    [(0, os.getpid(), True), (0, 0, True), (1, os.getpid() - 1, False), (1, 0, False), (0, os.getpid() - 1, False)],
    ids=["master", "no master", "worker", "worker without master", "mule"],
)
def test_who_is_going_to_be_forked_by_uwsgi_is_known(uwsgi, worker, master, expected):
    uwsgi.worker_id = lambda: worker
    uwsgi.masterpid = lambda: master
    assert expected == forks.is_before_uwsgi_fork()


def test_no_other_program_is_going_to_be_forked_by_uwsgi():
    assert not forks.is_before_uwsgi_fork()
