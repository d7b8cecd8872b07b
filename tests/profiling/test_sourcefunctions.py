"""A line is of the function that Python itself would name."""

from __future__ import annotations

import sys
import types

import pytest

from runtime_exporter.profiling import sourcefunctions
from runtime_exporter.profiling.sourcefunctions import SourceFunctions

SOURCE = """import os

def plain():
    x = 1
    return x

class Orders:
    limit = 10

    @property
    def total(self):
        def add(a, b):
            return a + b
        return add(1, 2)

    if limit:
        def guarded(self):
            return 1

try:
    async def fetch():
        return 1
except ValueError:
    pass
last = 1
"""
EXPECTED = {
    1: "<module>", 3: "plain", 5: "plain", 6: "<module>", 8: "Orders", 10: "Orders.total", 12: "Orders.total.<locals>.add",
    13: "Orders.total.<locals>.add", 14: "Orders.total", 15: "Orders", 17: "Orders.guarded", 18: "Orders.guarded", 20: "<module>",
    21: "fetch", 22: "fetch", 23: "<module>", 25: "<module>",
}  # fmt: skip


def of(text):
    return SourceFunctions(
        source=lambda _: text.splitlines(keepends=True),
        modules={"shop.orders": types.SimpleNamespace(__file__="/orders.py")},
    )


@pytest.mark.parametrize(("line", "name"), EXPECTED.items())
def test_lines_have_the_qualified_name_of_their_function(line, name):
    assert f"shop.orders:{name}" == of(SOURCE).frame("/orders.py", line).name


def test_the_names_are_those_of_the_code_objects_of_a_real_module():
    functions, file = SourceFunctions(), sourcefunctions.__file__
    for function in (SourceFunctions.frame, SourceFunctions._parse, sourcefunctions._functions):
        code = function.__code__
        lines = {line for _, _, line in code.co_lines() if line}
        found = {functions.frame(file, line) for line in lines}
        assert {f"{sourcefunctions.__name__}:{function.__qualname__}"} == {frame.name for frame in found}
        assert {code.co_firstlineno} == {frame.start_line for frame in found}


@pytest.mark.parametrize("text", ["", "def broken(:", "\0", "(" * 5000])
def test_what_cannot_be_parsed_has_only_a_module(text):
    assert "shop.orders:?" == of(text).frame("/orders.py", 3).name


def test_a_file_that_is_no_module_is_called_by_its_name():
    assert "job:?" == SourceFunctions(source=lambda _: [], modules=sys.modules).frame("/srv/job.py", 1).name


def test_no_more_files_are_parsed_than_may_be():
    functions = SourceFunctions(source=lambda _: ["def f():\n", "    pass\n"], modules={}, most_files=1)
    assert ["a:f", "b:?"] == [functions.frame(f"{name}.py", 2).name for name in "ab"]
