"""From a frame to names: the line that runs, the module, the depth limit, and nothing kept alive."""

import gc
import sys
import weakref

import pytest

from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.samplers.sampler import TRUNCATED
from runtime_exporter.profiling.samplers.stacks import StackTable


class Service:
    def frame(self):
        return sys._getframe()


def deep(levels):
    return deep(levels - 1) if levels else sys._getframe()


def test_a_frame_is_called_by_its_module_and_its_qualified_name():
    table = StackTable()
    leaf, caller, *_ = table.stack(table.key(Service().frame()))
    name = "Service.frame" if sys.version_info >= (3, 11) else "frame"
    code = Service.frame.__code__
    assert Frame(f"{__name__}:{name}", __file__, code.co_firstlineno + 1, code.co_firstlineno) == leaf
    assert f"{__name__}:test_a_frame_is_called_by_its_module_and_its_qualified_name" == caller.name


def test_the_same_function_at_another_line_is_another_frame_of_the_same_function():
    def two_lines():
        yield sys._getframe()
        yield sys._getframe()

    table = StackTable()
    keys = [table.key(frame) for frame in two_lines()]
    first, second = (table.stack(key)[0] for key in keys)
    assert first.line + 1 == second.line
    assert first._replace(line=0) == second._replace(line=0)


def test_a_stack_that_is_too_deep_keeps_its_leaf_and_says_so():
    table = StackTable(deepest=5)
    stack = table.stack(table.key(deep(10)))
    assert [f"{__name__}:deep"] * 5 == [frame.name for frame in stack[:-1]]
    assert TRUNCATED == stack[-1]
    assert 1 == table.truncated


def test_a_stack_as_deep_as_the_limit_is_whole():
    frame, depth = deep(3), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    table = StackTable(deepest=depth)
    assert depth == len(table.stack(table.key(deep(3))))
    assert 0 == table.truncated


@pytest.mark.parametrize("module", [None, 7])
def test_code_without_a_module_has_a_name_all_the_same(module):
    names = {"sys": sys, "__name__": module}
    exec("def f():\n    return sys._getframe()", names)
    table = StackTable()
    assert "?:f" == table.stack(table.key(names["f"]()))[0].name


def test_no_frame_and_no_variable_of_it_is_kept():
    class Variable:
        pass

    def function():
        variable = Variable()
        return weakref.ref(variable), table.key(sys._getframe())

    table = StackTable()
    reference, key = function()
    gc.collect()
    assert None is reference()
    assert table.stack(key)[0].name.endswith("function")


def test_a_table_that_is_full_forgets():
    table = StackTable(most_codes=1)
    key = table.key(deep(0))
    assert True is table.forget()
    assert "(forgotten)" == table.stack(key)[0].name
    assert False is table.forget()
