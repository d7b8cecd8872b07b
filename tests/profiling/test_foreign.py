"""What a process of somebody else's is called by: its program may have come without a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from runtime_exporter.profiling import foreign
from runtime_exporter.profiling.foreignmodules import ForeignModules, Program, program
from runtime_exporter.profiling.profile import frames

PROGRAM = """
import dataclasses, threading
@dataclasses.dataclass
class Point:
    x: int
def work():
    for number in range(1000):
        Point(number)
def forever():
    while True:
        work()
print("ready", flush=True)
threading.Thread(target=forever, daemon=True).start()
threading.Event().wait()
"""


@pytest.mark.parametrize("how", ["argument", "standard input"])
def test_functions_of_a_program_without_a_file_are_mains(how):
    command = [sys.executable, "-X", "utf8", *(["-Bc", PROGRAM] if how == "argument" else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            if how != "argument":
                process.stdin.write(PROGRAM)
                process.stdin.close()
            assert "ready\n" == process.stdout.readline()
            profile = foreign.record(process.pid, 1)
        finally:
            process.kill()
    names = {frame.name for sample in profile.samples for frame in frames(sample)}
    assert {"__main__:forever", "__main__:work"} <= names
    assert [] == [name for name in names if name.startswith("<")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("python -c print()", Program(typed=True)),
        ("python -Ic print()", Program(typed=True)),
        ("python -X importtime -W error -c x", Program(typed=True)),
        ("python", Program(typed=True)),
        ("python -u -", Program(typed=True)),
        ("python -m shop.web -c conf", Program(module="shop.web")),
        ("python -Imshop", Program(module="shop")),
        ("python -B shop.py -c conf", Program(file="shop.py")),
        ("", Program()),
    ],
)
def test_how_python_was_given_its_program_is_known_by_the_options(arguments, expected):
    assert expected == program(arguments.split())


ALIASES = {
    "_frozen_importlib",
    "_frozen_importlib_external",
    "collections.abc",
}  # what these call themselves is no file's name
LISTING = """
import asyncio, http.server, json, multiprocessing.pool, sys, xml.dom.minidom, hypothesis.strategies
import pack.inner.leaf
modules = {m.__file__: m.__name__ for m in list(sys.modules.values()) if str(getattr(m, "__file__", "")).endswith(".py")}
print(json.dumps(modules), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("where", "arguments"),
    [
        ("app.py", ["./app.py"]),
        ("pack/app.py", ["-m", "pack.app"]),
        ("pack/inner/__main__.py", ["-m", "pack.inner"]),
        ("served/__main__.py", ["served"]),
    ],
)
def test_modules_of_another_process_are_called_as_it_calls_them(tmp_path, where, arguments):
    for file in ("pack/__init__.py", "pack/inner/__init__.py", "pack/inner/leaf.py", where):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(LISTING if file == where else "")
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    ) as process:
        told = {file: name for file, name in json.loads(process.stdout.readline()).items() if name not in ALIASES}
        modules = ForeignModules(process.pid)
        found = {file: modules.get(file) for file in told}
        process.stdin.close()
    assert {"__main__", "pack.inner.leaf", "json.decoder", "hypothesis.strategies"} <= {*told.values()}
    assert told == found


def test_what_is_no_source_file_has_no_module_and_neither_has_a_process_that_is_not_there():
    modules = ForeignModules(os.getpid())
    assert [None, None, None] == [modules.get(file) for file in ("<frozen os>", "[libc.so]", "/usr/lib/x.so")]
    assert "shop" == ForeignModules(2**31).get("/srv/shop.py")
