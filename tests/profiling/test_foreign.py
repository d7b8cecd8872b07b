"""What a process of somebody else's is called by: its program may have come without a file."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runtime_exporter.profiling import foreign
from runtime_exporter.profiling.foreign import _is_typed
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
    ("arguments", "typed"),
    [
        ("python -c print()", True),
        ("python -Ic print()", True),
        ("python -X importtime -W error -c x", True),
        ("python", True),
        ("python -u -", True),
        ("python -m shop -c conf", False),
        ("python -Im shop", False),
        ("python shop.py -c conf", False),
        ("gunicorn: master [shop]", False),
    ],
)
def test_a_program_without_a_file_is_known_by_the_options(arguments, typed):
    assert typed == _is_typed(arguments.split())
