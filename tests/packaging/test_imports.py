"""What is imported with what: a service pays for what it uses, at each deploy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import runtime_exporter
from runtime_exporter import http

# prometheus_client brings http.server, ssl, email and json along; what it has imported is nobody's here.
PROGRAM = """
import json, os, sys, prometheus_client
before = {{*sys.modules}}
{statement}
sys.stdout.write(json.dumps(sorted({{*sys.modules}} - before)))
sys.stdout.flush()
os._exit(0)
"""
# Each takes a few milliseconds to import, or a megabyte.
HEAVY = {
    "asyncio",
    "click",
    "concurrent",
    "csv",
    "http.cookies",
    "importlib.metadata",
    "multiprocessing",
    "psutil",
    "requests",
    "sqlite3",
    "subprocess",
    "unittest",
    "urllib3",
    "xml",
    "yaml",
    "zipfile",
}
PARTS = {"agent", "cli", "collectors", "demo", "exporter", "mixin", "profiling", "push", "web"}


def imported(statement):
    """Return the modules that a statement imports in a process that has prometheus_client, and their packages."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    modules = json.loads(done.stdout)
    return {*modules} | {module.partition(".")[0] for module in modules}


def parts(modules):
    return {module.split(".")[1] for module in modules if module.startswith("runtime_exporter.")}


def test_the_package_by_itself_imports_nothing():
    assert {"runtime_exporter"} == imported("import runtime_exporter")


@pytest.mark.parametrize(
    "statement",
    [
        "import runtime_exporter.metrics",
        "from runtime_exporter import WSGIMiddleware",
        "from runtime_exporter import ASGIMiddleware",
        "from runtime_exporter import start",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(statement):
    assert set() == imported(statement) & HEAVY


@pytest.mark.parametrize("name", ["WSGIMiddleware", "ASGIMiddleware", "ConfigError"])
def test_who_counts_requests_imports_no_server_and_no_profiler(name):
    assert set() == parts(imported(f"from runtime_exporter import {name}")) & PARTS


@pytest.mark.parametrize(("profiling", "allowed"), [(False, set()), (True, {"subprocess"})])
def test_an_exporter_that_runs_has_imported_what_its_settings_need(profiling, allowed):
    modules = imported(
        f"import runtime_exporter; kept = runtime_exporter.start(port=0, profiling={profiling}, log_level='error')"
    )

    # The version of the package is read of its metadata.
    assert set() == modules & HEAVY - {"importlib.metadata", "csv", "zipfile"} - allowed
    assert profiling == ("runtime_exporter.profiling.advice" in modules)
    assert "runtime_exporter.metrics.workers" not in modules


@pytest.mark.parametrize("package", [runtime_exporter, http])
def test_names_are_there_before_they_are_imported_and_others_are_not(package):
    assert {*package.__all__} <= {*dir(package)}
    with pytest.raises(AttributeError, match=rf"module '{package.__name__}' has no attribute 'Middleware'"):
        _ = package.Middleware
