"""What is compiled: carried by a wheel, put beside its source where one develops, left out in one line where it cannot be."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from runtime_exporter.freethreading import BUILD
from runtime_exporter.http import compiled, guard
from runtime_exporter.http.series import Method
from runtime_exporter.http.wsgi import WSGIMiddleware, fastest
from tools import require

ROOT = Path(__file__).resolve().parents[2]
HOOK = ROOT / "exporter" / "hatch_build.py"
PACKAGE = "runtime_exporter/http/compiled"
MODULES = sorted(path.stem for path in (ROOT / "exporter" / PACKAGE).glob("_*.c"))
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
FILES = {f"{PACKAGE}/{name}{SUFFIX}" for name in MODULES}
STRICT = {"CFLAGS": "-Wall -Wextra -Werror", "RUNTIME_EXPORTER_COMPILED": "true"}
NO_COMPILER = {"CC": "/nowhere/cc"}
MISSING = "there is no C compiler /nowhere/cc (Debian: apt-get install gcc libc6-dev)"
NOTE = "note: without the compiled part, which only makes requests cheaper: "

pytestmark = [
    pytest.mark.skipif(BUILD, reason="nothing is compiled for an interpreter without a GIL"),
    pytest.mark.slow,
]

# Three requests by each kind of middleware, in a process that has the package from where a wheel was unpacked.
COUNTING = """
import asyncio, sys
from runtime_exporter import ASGIMiddleware, WSGIMiddleware
from runtime_exporter.http import HTTPMetrics, compiled
from runtime_exporter.metrics.exposition import TEXT

assert compiled.__file__.startswith(sys.argv[1]), compiled.__file__
metrics = HTTPMetrics()

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b""]

async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

async def nothing(*_):
    pass

for _ in range(3):  # the first one prepares what the others need
    answer = WSGIMiddleware(wsgi, metrics)({"REQUEST_METHOD": "PUT"}, lambda *_: None)
    b"".join(answer)
    getattr(answer, "close", bool)()
    asyncio.run(ASGIMiddleware(asgi, metrics)({"type": "http", "method": "GET"}, nothing, nothing))
print(*[name for name in ("_asgi", "_wsgi") if name not in compiled.absent])
print(*[line for line in TEXT.render(metrics.families).decode().splitlines() if "seconds_count{" in line], sep="\\n")
"""
COUNTED = [
    "http_server_request_duration_seconds_count{"
    f'http_request_method="{method}",http_route="unmatched",http_response_status_code="200"}} 3'
    for method in ("PUT", "GET")
]


SWITCHED_OFF = """
import runtime_exporter
from runtime_exporter.metrics.exposition import TEXT

with runtime_exporter.start(port=0, profiling=False, log_level="error") as exporter:
    print(*[line for line in exporter.expose(TEXT).decode().splitlines() if line.startswith("runtime_exporter_compiled")], sep="\\n")
"""


def environment(**changed):
    """Return this process's environment, apart from what decides on compiling."""
    decisive = {"RUNTIME_EXPORTER_COMPILED", "CC", "CFLAGS", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in decisive} | changed


def build(tree, target, into, **changed):
    """Build a target of a source tree; return the process that did, and what it made, if it did."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", into],
        cwd=tree,
        env=environment(**changed),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done, next(iter(sorted(Path(into).glob("*"))), None)


def hook(tree, **changed):
    """Compile beside the sources of a tree, as make does; return the process."""
    return subprocess.run(
        [sys.executable, tree / "exporter" / "hatch_build.py"],
        env=environment(**changed),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def beside(tree):
    return {
        path.name for path in (tree / "exporter" / PACKAGE).iterdir() if path.suffix not in {".c", ".h", ".py", ".pyi"}
    }


def counted(wheel, tmp_path):
    """Return which modules are used where a wheel was unpacked, and the counts of the program above."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, tmp_path],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ("", 0) == (done.stderr, done.returncode)
    used, *counts = done.stdout.splitlines()
    return used.split(), counts


def copied(tree, *parts):
    """Make a source tree of some parts of the project: nothing is ever compiled in the real one."""
    for part in ("pyproject.toml", "README.md", *parts):
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.new"))
        else:
            shutil.copy(ROOT / part, tree / part)
    return tree


def stubbed(tree):
    """Make a source tree whose C is as short as can be, for what is not about its content."""
    copied(tree, "exporter/hatch_build.py", f"exporter/{PACKAGE}")
    for name in MODULES:
        (tree / "exporter" / PACKAGE / f"{name}.c").write_text("int nothing;\n")
    return tree


@pytest.fixture(scope="module")
def compiler():
    """Nothing to compile with is a failure in CI."""
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        require("Python.h", package="python3-dev")
    return require("cc", "gcc", "clang", package="gcc")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    pytest.importorskip("hatchling")
    return copied(tmp_path_factory.mktemp("tree"), "exporter", "Makefile")


@pytest.fixture(scope="module")
def wheel(compiler, tree, tmp_path_factory):
    """Build a wheel as a release is built, with every warning an error."""
    done, made = build(tree, "wheel", tmp_path_factory.mktemp("wheel"), **STRICT)
    assert 0 == done.returncode, done.stdout + done.stderr
    return made


def test_a_wheel_carries_what_was_compiled_without_a_warning_and_is_for_this_interpreter_alone(wheel, tree):
    version = "cp{}{}".format(*sys.version_info)
    name, _, interpreter, abi, platform = wheel.stem.split("-")
    with zipfile.ZipFile(wheel) as archive:
        names = {*archive.namelist()}
        about = archive.read(next(name for name in names if name.endswith(".dist-info/WHEEL"))).decode()
    assert ("runtime_exporter", version, version) == (name, interpreter, abi)
    assert platform != "any"
    assert "Root-Is-Purelib: false" in about
    assert ["_asgi", "_wsgi"] == MODULES
    assert {name for name in names if name.startswith(f"{PACKAGE}/_") and not name.endswith((".py", ".pyi"))} == FILES
    assert not any(name.endswith("hatch_build.py") for name in names)
    assert set() == beside(tree)


def test_what_a_wheel_carries_counts(wheel, tmp_path):
    assert (MODULES, COUNTED) == counted(wheel, tmp_path)


def test_the_source_distribution_compiles_to_the_same_bytes_elsewhere(wheel, tree, tmp_path):
    _, sdist = build(tree, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(tmp_path)
    (unpacked,) = tmp_path.glob("runtime_exporter-*")
    done, again = build(unpacked, "wheel", tmp_path / "wheel", **STRICT)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert wheel.name == again.name
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert {name: one.read(name) for name in FILES} == {name: other.read(name) for name in FILES}


def test_without_a_compiler_a_wheel_fits_all_and_counts_as_well(tree, tmp_path):
    done, made = build(tree, "wheel", tmp_path / "wheel", **NO_COMPILER)
    (line,) = (line for line in done.stderr.splitlines() if "compiled" in line)
    assert 0 == done.returncode
    assert NOTE + MISSING == line
    assert made.name.endswith("-py3-none-any.whl")
    assert ([], COUNTED) == counted(made, tmp_path / "site")


@pytest.mark.parametrize("word", ["false", "0"])
def test_a_process_that_is_told_so_does_without(word):
    done = subprocess.run(
        [sys.executable, "-c", SWITCHED_OFF],
        env=environment(RUNTIME_EXPORTER_COMPILED=word),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        f'runtime_exporter_compiled{{interface="{name}"}} 0.0' for name in ("asgi", "wsgi")
    ]


def test_what_was_compiled_and_does_not_fit_counts_as_absent(monkeypatch, caplog):
    monkeypatch.setattr(compiled, "wsgi", object())  # as if of another version
    monkeypatch.setattr(compiled, "absent", {})
    monkeypatch.setattr(guard, "_logged", set())
    assert WSGIMiddleware is fastest(WSGIMiddleware, "plain", Method)
    assert {"asgi": True, "wsgi": False} == compiled.used()
    assert "preparing what is compiled" in caplog.text


def test_a_compiler_that_is_demanded_and_missing_ends_the_build(tree, tmp_path):
    done, made = build(tree, "wheel", tmp_path, RUNTIME_EXPORTER_COMPILED="true", **NO_COMPILER)
    last = done.stderr.splitlines()[-1]
    assert (True, None) == (done.returncode > 0, made)
    assert f"error: RUNTIME_EXPORTER_COMPILED is true, but {MISSING}" == last


def test_what_is_not_wanted_is_left_out_without_a_word(tree, tmp_path):
    done, made = build(tree, "wheel", tmp_path, RUNTIME_EXPORTER_COMPILED="off")
    assert (0, True) == (done.returncode, made.name.endswith("-py3-none-any.whl"))
    assert "compiled" not in done.stdout + done.stderr


def test_an_editable_installation_has_it_beside_its_source_and_nothing_else(compiler, tmp_path):
    tree = stubbed(tmp_path / "tree")
    done, made = build(tree, "wheel:editable", tmp_path / "wheel")
    assert (0, True) == (done.returncode, made.name.endswith("-py3-none-any.whl")), done.stderr
    assert {Path(name).name for name in FILES} == beside(tree)

    # What was compiled of an older source is worse than nothing.
    other = tree / "exporter" / PACKAGE / f"{MODULES[0]}.other-interpreters.so"
    other.touch()
    done, _ = build(tree, "wheel:editable", tmp_path / "wheel", **NO_COMPILER)
    assert (0, True) == (done.returncode, NOTE in done.stderr)
    assert {other.name} == beside(tree)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "x.c:1:10: fatal error: Python.h: No such file or directory",
            "Python.h is missing (Debian: apt-get install python3-dev)",
        ),
        (
            "In file included from Python.h:1:\\nx.h:3:1: error: unknown type\\nx.h:4:1: error: more",
            "x.h:3:1: error: unknown type",
        ),
        ("", "'{}'"),
    ],
)
def test_the_line_says_what_the_compiler_found_first(tree, tmp_path, said, told):
    fake = tmp_path / "cc"
    fake.write_text(f"#!/bin/sh\nprintf '{said}\\n' >&2\nexit 1\n")
    fake.chmod(0o755)
    done = hook(tree, CC=str(fake))
    (line,) = done.stderr.splitlines()
    assert (1, "", True) == (done.returncode, done.stdout, told.format(fake) in line.removeprefix(NOTE)), line


def test_a_tree_that_cannot_be_written_is_told_of(compiler, tmp_path):
    tree = stubbed(tmp_path)
    place = tree / "exporter" / PACKAGE
    (place / f"{MODULES[0]}{SUFFIX}").mkdir()  # root may write anywhere else
    done = hook(tree)
    assert (1, f"{NOTE}{place} cannot be written (Is a directory)\n") == (done.returncode, done.stderr)


def test_a_word_that_is_none_is_refused(tree):
    done = hook(tree, RUNTIME_EXPORTER_COMPILED="perhaps")
    assert (
        1,
        "error: RUNTIME_EXPORTER_COMPILED = 'perhaps': true or false is needed, or nothing for what is possible\n",
    ) == (
        done.returncode,
        done.stderr,
    )


@pytest.fixture
def hook_module(monkeypatch):
    """Import the hook as hatchling does: by its path."""
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delenv("RUNTIME_EXPORTER_COMPILED", raising=False)
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: pytest.fail("it was compiled"))
    return module


@pytest.fixture(params=["without a GIL", "PyPy"])
def other_interpreter(request, monkeypatch):
    if request.param == "PyPy":
        monkeypatch.setattr(sys.implementation, "name", "pypy")
    else:
        monkeypatch.setattr(sysconfig, "get_config_var", {"Py_GIL_DISABLED": 1}.get)


def test_nothing_is_compiled_for_an_interpreter_that_it_is_not_for(
    hook_module, other_interpreter, tmp_path, monkeypatch
):
    assert [] == hook_module.compile_into(tmp_path, debug=False)
    monkeypatch.setenv("RUNTIME_EXPORTER_COMPILED", "true")
    with pytest.raises(hook_module.NotCompiledError, match="it is for CPython with a GIL"):
        hook_module.compile_into(tmp_path, debug=False)


def test_make_compiles_again_when_a_source_changes(tree):
    make = require("make", package="make")
    venv = tree / "venv"
    (venv / "bin").mkdir(parents=True)
    for name in ("bin/python", ".installed", ".compiled"):
        (venv / name).touch(mode=0o755)
    sources = [
        path.relative_to(tree) for path in (tree / "exporter" / PACKAGE).iterdir() if path.suffix in {".c", ".h"}
    ]
    assert len(sources) > 1
    for touched, compiles in [("README.md", False), *((path, True) for path in sources)]:
        done = subprocess.run(
            [make, "-n", f"VENV={venv.name}", "-W", touched, f"{venv.name}/.compiled"],
            cwd=tree,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert compiles == ("hatch_build.py" in done.stdout)


def test_a_release_has_a_wheel_for_every_python_that_is_supported():
    project = (ROOT / "pyproject.toml").read_text()
    (built,) = re.findall(r'^build = "cp3\{([\d,]+)\}-\*"$', project, re.MULTILINE)
    assert re.findall(r"Python :: 3\.(\d+)", project) == built.split(",")
