"""Who may import whom: the rules of docs/how-it-works.md, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "exporter" / "runtime_exporter"

# A part may import the parts that stand here beside it, itself, and what ANYONE may import.
MAY_IMPORT = {
    "metrics": set(),
    "profiling": set(),
    "collectors": {"metrics", "profiling"},
    "http": {"metrics", "profiling"},
    "web": {"metrics", "profiling"},
    "push": {"metrics", "profiling"},
    "prefork": {"collectors", "web", "metrics", "profiling"},
    "agent": {"collectors", "web", "push", "metrics", "profiling"},
    "act": {"web", "metrics"},
    "started": set(),
    "exporter": {"started", "collectors", "prefork", "http", "web", "push", "metrics", "profiling"},
    "mixin": set(),
    "demo": {"mixin"},
    "bootstrap": {"exporter", "http"},
    "cli": {
        "exporter",
        "prefork",
        "agent",
        "act",
        "mixin",
        "demo",
        "bootstrap",
        "http",
        "collectors",
        "metrics",
        "profiling",
    },
    "__init__": {"exporter", "http", "web"},
    "__main__": {"cli"},
}
# Small modules at the top that anyone may use; they know only each other.
ANYONE = {
    "errors",
    "settings",
    "configfile",
    "costs",
    "cpuclock",
    "credentials",
    "deadline",
    "forks",
    "freethreading",
    "logs",
    "nearest",
    "ownthread",
    "sigmask",
}
FORBIDDEN_NAMES = {"core", "utils", "util", "helpers", "helper", "manager", "common", "misc"}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if "_bundle" not in path.parts)


def part(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """Every module of ours that a file imports, and whether the import stands inside a function."""
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = (
                [node.module]
                if node.module != "runtime_exporter"
                else [f"runtime_exporter.{a.name}" for a in node.names]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) in inside


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_part_may_know(path):
    mine = part(path)
    if mine in ANYONE:
        allowed = ANYONE
    else:
        assert mine in MAY_IMPORT, f"a new part {mine}: say in MAY_IMPORT and docs/how-it-works.md whom it may import"
        allowed = MAY_IMPORT[mine] | ANYONE | {mine}
    found = {name.split(".")[1] for name, _ in imports(path) if name.startswith("runtime_exporter.")}
    assert set() == found - allowed


# Where an import inside a function is the point: in a foreign program nothing of ours is imported before it is needed.
IMPORTS_LATE = {"bootstrap"}
# Nor are samplers, comparison and advice where the settings switch profiling off, what workers share where there are none,
# and what is for Django's own handler alone.
IMPORT_LATE = {
    PACKAGE / "http" / "wsgi.py",
    PACKAGE / "profiling" / "process.py",
    PACKAGE / "exporter.py",
    PACKAGE / "configfile" / "__init__.py",
    PACKAGE / "metrics" / "told.py",
    PACKAGE / "prefork" / "alone.py",
    PACKAGE / "prefork" / "sharing.py",
}


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if part(path) not in IMPORTS_LATE and path not in IMPORT_LATE],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_import_of_ours_hides_in_a_function(path):
    hidden = [name for name, inside in imports(path) if inside and name.startswith("runtime_exporter")]
    assert [] == hidden


@pytest.mark.parametrize(
    ("library", "where"),
    [("_jsonnet", {"mixin/jsonnet.py"}), ("grafanalib", {"mixin/panels.py"})],
)
def test_a_build_time_library_enters_by_one_door(library, where):
    users = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for name, _ in imports(path)
        if name.split(".")[0] == library
    }
    assert where == users


def test_profiling_knows_only_the_standard_library():
    foreign = {
        name
        for path in (PACKAGE / "profiling").rglob("*.py")
        for name, _ in imports(path)
        if name.split(".")[0] in {"prometheus_client", "psutil", "yaml", "requests", "click"}
    }
    assert set() == foreign


def test_no_module_has_a_name_that_says_nothing():
    assert [] == [path for path in modules() if path.stem in FORBIDDEN_NAMES]
