import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace

import pytest

from runtime_exporter.collectors.exceptions import ExceptionsCollector


class World:
    """An interpreter whose hooks note what they were called with."""

    def __init__(self):
        self.called = []
        self.system = SimpleNamespace(
            excepthook=lambda *arguments: self.called.append(("main", arguments)),
            unraisablehook=lambda *arguments: self.called.append(("unraisable", arguments)),
        )
        self.threads = SimpleNamespace(excepthook=lambda *arguments: self.called.append(("thread", arguments)))
        self.first = (self.system.excepthook, self.system.unraisablehook, self.threads.excepthook)

    @property
    def now(self):
        return (self.system.excepthook, self.system.unraisablehook, self.threads.excepthook)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def collector(world):
    return ExceptionsCollector(2, system=world.system, threads=world.threads)


def test_each_hook_counts_under_its_origin_and_calls_the_one_before(world, collector, values):
    collector.start()
    error = ValueError("x")
    arguments = SimpleNamespace(exc_type=KeyError)

    world.system.excepthook(ValueError, error, None)
    world.threads.excepthook(arguments)
    world.system.unraisablehook(arguments)
    collector.update()

    assert {
        "python_exceptions_total{type=ValueError,origin=main}": 1,
        "python_exceptions_total{type=KeyError,origin=thread}": 1,
        "python_exceptions_total{type=KeyError,origin=unraisable}": 1,
    } == values(collector)
    assert [("main", (ValueError, error, None)), ("thread", (arguments,)), ("unraisable", (arguments,))] == world.called


def test_a_constructor_touches_no_hook(world, collector):
    assert world.first == world.now


def test_hooks_are_given_back(world, collector):
    collector.start()
    during = world.now
    collector.close()
    collector.close()

    assert world.first == world.now
    assert not set(map(id, during)) & set(map(id, world.first))


def test_starting_twice_counts_once(world, collector, values):
    collector.start()
    collector.start()

    world.system.excepthook(ValueError, ValueError(), None)
    collector.update()

    assert 1 == values(collector)["python_exceptions_total{type=ValueError,origin=main}"]
    assert 1 == len(world.called)


def test_a_hook_that_came_after_ours_stays_and_ours_only_passes_on(world, collector, values):
    collector.start()
    ours = world.system.excepthook
    theirs = lambda *arguments: ours(*arguments)  # noqa: E731
    world.system.excepthook = theirs
    collector.close()

    world.system.excepthook(ValueError, ValueError(), None)
    collector.update()

    assert world.system.excepthook is theirs
    assert {} == values(collector)
    assert 1 == len(world.called)


def test_a_hook_in_the_middle_of_a_chain_counts_again_after_another_start(world, collector, values):
    collector.start()
    ours = world.system.excepthook
    world.system.excepthook = lambda *arguments: ours(*arguments)
    collector.close()
    collector.start()

    world.system.excepthook(ValueError, ValueError(), None)
    collector.update()

    assert 1 == values(collector)["python_exceptions_total{type=ValueError,origin=main}"]


def test_a_thread_that_ends_itself_is_no_exception(world, collector, values):
    collector.start()

    world.threads.excepthook(SimpleNamespace(exc_type=SystemExit))
    collector.update()

    assert {} == values(collector)
    assert 1 == len(world.called)


def test_nonsense_given_to_a_hook_is_passed_on_and_not_counted(world, collector, values):
    collector.start()

    world.system.unraisablehook(None)
    world.system.excepthook()
    collector.update()

    assert {} == values(collector)
    assert [("unraisable", (None,)), ("main", ())] == world.called


def test_what_was_recorded_last_is_counted_at_close(world, collector, values):
    collector.start()
    world.system.excepthook(ValueError, ValueError(), None)
    collector.close()

    assert 1 == values(collector)["python_exceptions_total{type=ValueError,origin=main}"]


def test_types_beyond_the_limit_are_one_and_are_counted(world, collector, values):
    collector.start()
    for number in range(10):
        world.system.excepthook(type(f"Error{number}", (Exception,), {"__module__": "shop"}), None, None)
    collector.update()

    assert {
        "python_exceptions_total{type=shop.Error0,origin=main}": 1,
        "python_exceptions_total{type=shop.Error1,origin=main}": 1,
        "python_exceptions_total{type=other,origin=main}": 8,
    } == values(collector)
    assert {"python_exceptions_total": 8} == collector.folded()


def test_exceptions_that_nobody_scrapes_take_no_more_than_bounded_memory(world, collector, values):
    collector.start()
    for _ in range(10_500):
        world.threads.excepthook(SimpleNamespace(exc_type=KeyError))
    collector.update()

    assert 10_000 == values(collector)["python_exceptions_total{type=KeyError,origin=thread}"]


def test_a_real_thread_that_dies_is_counted(values, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # pytest's own would make it a warning
    collector = ExceptionsCollector()
    collector.start()
    try:
        thread = threading.Thread(target=lambda: {}["missing"])
        thread.start()
        thread.join()
    finally:
        collector.close()

    assert {"python_exceptions_total{type=KeyError,origin=thread}": 1} == values(collector)


def test_a_real_program_still_prints_its_traceback_and_its_exit_code(tmp_path):
    program = textwrap.dedent("""
        import atexit
        from runtime_exporter.collectors.exceptions import ExceptionsCollector
        collector = ExceptionsCollector()
        collector.start()
        def report():
            collector.close()
            print([(sample.labels, sample.value) for sample in collector.families[0].collect()[0].samples])
        atexit.register(report)
        class Finaliser:
            def __del__(self):
                raise OSError("in a finaliser")
        Finaliser()
        raise LookupError("at the end")
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert 1 == done.returncode
    assert "in a finaliser" in done.stderr
    assert done.stderr.endswith("LookupError: at the end\n")
    assert (
        "[({'type': 'OSError', 'origin': 'unraisable'}, 1.0), ({'type': 'LookupError', 'origin': 'main'}, 1.0)]\n"
        == done.stdout
    )
