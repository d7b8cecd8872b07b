import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.collectors.sources.names import type_name
from runtime_exporter.profiling.threadgroup import thread_group, without_numbers


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MainThread", "MainThread"),
        ("ThreadPoolExecutor-0_3", "ThreadPoolExecutor"),
        ("Thread-12 (handle)", "handle"),
        ("Thread-12 (<lambda>)", "<lambda>"),
        ("Thread-3", "Thread"),
        ("Dummy-7", "Thread"),
        ("asyncio_0", "asyncio"),
        ("waitress-14", "waitress"),
        ("worker7", "worker"),
        ("grpc-default-executor-0_1", "grpc-default-executor"),
        ("db2-pool-3", "db-pool"),
        ("order-550e8400-e29b-41d4-a716-446655440000", "order"),
        ("req-3f2a9c1", "req"),
        ("facade-1", "facade"),
        ("conn 10.0.0.7:5432", "conn"),
        ("cleanup: /tmp/42/x", "cleanup: /tmp/x"),
        ("4711", "unnamed"),
        ("", "unnamed"),
        ("--", "unnamed"),
        ("é\n1", "é"),
    ],
)
def test_a_thread_belongs_to_the_group_of_its_name_without_numbers(name, expected):
    assert expected == thread_group(threading.Thread(name=name or "x") if name else _nameless())


def _nameless():
    thread = threading.Thread()
    thread._name = ""
    return thread


def test_an_unnamed_thread_of_a_subclass_belongs_to_its_class():
    class Heartbeat(threading.Thread):
        def run(self):
            pass

    assert "Heartbeat" == thread_group(Heartbeat())


def test_an_unnamed_thread_belongs_to_its_target():
    def serve():
        pass

    assert "serve" == thread_group(threading.Thread(target=serve))


@given(st.text())
def test_no_name_keeps_a_number_or_is_empty(name):
    group = without_numbers(name)

    assert group
    assert not any(character in "0123456789" for character in group)


@given(st.text(alphabet="abc-_ ", min_size=1), st.integers(0, 99999), st.integers(0, 99999))
def test_names_that_differ_in_a_number_are_of_one_group(name, one, other):
    assert without_numbers(f"{name}-{one}") == without_numbers(f"{name}-{other}")


class Outer:
    class Inner(Exception):
        pass


class Liar(type):
    def __getattribute__(cls, name):
        if name in ("__qualname__", "__module__", "__dict__"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


class Told(metaclass=Liar):
    pass


class OddModule:
    __module__ = property(lambda _: "x")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (KeyError, "KeyError"),
        (Outer.Inner, f"{__name__}.Outer.Inner"),
        (threading.Thread, "threading.Thread"),
        (Told, f"{__name__}.Told"),
        (OddModule, "OddModule"),
        (type("Made", (), {"__module__": None}), "Made"),
    ],
)
def test_a_class_is_called_by_its_qualified_name_whatever_it_says_of_itself(kind, expected):
    assert expected == type_name(kind)
