"""A line is of the function that Python itself would name."""

from __future__ import annotations

import ast
import sys
import threading
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
        code=lambda file: compile(text, file, "exec"),
        modules={"shop.orders": types.SimpleNamespace(__file__="/orders.py")},
    )


@pytest.mark.parametrize(("line", "name"), EXPECTED.items())
def test_lines_have_the_qualified_name_of_their_function(line, name):
    assert f"shop.orders:{name}" == of(SOURCE).frame("/orders.py", line).name


def test_the_names_are_those_of_the_code_objects_of_a_real_module():
    functions, file = SourceFunctions(), sourcefunctions.__file__
    for function in (SourceFunctions.frame, SourceFunctions._read, sourcefunctions._functions):
        code = function.__code__
        lines = {line for _, _, line in code.co_lines() if line}
        found = {functions.frame(file, line) for line in lines}
        assert {f"{sourcefunctions.__name__}:{function.__qualname__}"} == {frame.name for frame in found}
        assert {code.co_firstlineno} == {frame.start_line for frame in found}


@pytest.mark.parametrize("content", [b"def broken(:", b"\0", b"(" * 5000, b"# coding: klingon", b"'\xff'"])
def test_what_cannot_be_compiled_has_only_a_module(tmp_path, content):
    file = tmp_path / "orders.py"
    file.write_bytes(content)

    assert "orders:?" == SourceFunctions(modules={}).frame(str(file), 1).name


def test_a_file_that_is_no_module_is_called_by_its_name():
    assert "job:?" == SourceFunctions(modules=sys.modules).frame("/srv/job.py", 1).name
    assert "<string>:?" == SourceFunctions(modules=sys.modules).frame("<string>", 1).name


def test_no_more_files_are_looked_into_than_may_be():
    text = "def f():\n    pass\n"
    functions = SourceFunctions(code=lambda file: compile(text, file, "exec"), modules={}, most_files=1)
    assert ["a:f", "b:?"] == [functions.frame(f"{name}.py", 2).name for name in "ab"]


def test_a_file_is_looked_into_only_where_it_is_asked_for():
    functions = of(SOURCE)
    assert "shop.orders:?" == functions.frame("/orders.py", 5, read=False).name
    functions.frame("/orders.py", 5)
    assert "shop.orders:plain" == functions.frame("/orders.py", 5, read=False).name


def test_nothing_is_written_beside_a_file(tmp_path):
    file = tmp_path / "orders.py"
    file.write_text(SOURCE)

    assert "orders:plain" == SourceFunctions(modules={}).frame(str(file), 5).name
    assert [file] == [*tmp_path.iterdir()]


def test_a_comprehension_is_a_part_of_its_function():
    text = "def f(rows):\n    x = [\n        str(row)\n        for row in rows\n    ]\n    return map(lambda r:\n      r + 1, x)\n"
    functions = SourceFunctions(code=lambda file: compile(text, file, "exec"), modules={})
    assert {"a:f"} == {functions.frame("a.py", line).name for line in range(1, 8)}


def test_two_threads_do_not_disturb_each_other():
    file, failures = ast.__file__, []
    stop = threading.Event()

    def parse():
        while not stop.is_set():
            try:
                ast.parse("a = [(b, c) for b, c in d if (e or f) and g]\n" * 50)
            except SystemError as error:
                failures.append(error)

    threads = [threading.Thread(target=parse)]
    [thread.start() for thread in threads]
    try:
        found = {SourceFunctions().frame(file, ast.parse.__code__.co_firstlineno + 1).name for _ in range(30)}
    finally:
        stop.set()
        [thread.join(20) for thread in threads]
    assert ({"ast:parse"}, []) == (found, failures)
