"""Hooks on imports: called once, after the import, and never in its way."""

from __future__ import annotations

import importlib
import sys

import pytest

from runtime_exporter.bootstrap.imports import ImportHooks


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package to import, and sys as it was before."""
    directory = tmp_path / "hooked_package"
    directory.mkdir()
    (directory / "__init__.py").write_text("")
    (directory / "inner.py").write_text("value = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    yield "hooked_package.inner"
    for name in [name for name in sys.modules if name.startswith("hooked_package")]:
        del sys.modules[name]


@pytest.fixture
def failures():
    return []


@pytest.fixture
def install(failures):
    def install(**hooks):
        ImportHooks(
            {name.replace("__", "."): hook for name, hook in hooks.items()}, lambda *failure: failures.append(failure)
        ).install()

    return install


def test_a_hook_is_called_once_with_the_finished_module(package, install, failures):
    seen = []
    install(hooked_package__inner=lambda module: seen.append(module.value))
    module = importlib.import_module(package)
    importlib.reload(module)
    assert ([42], []) == (seen, failures)


def test_a_module_that_is_imported_already_is_hooked_at_once(package, install):
    module = importlib.import_module(package)
    seen = []
    install(hooked_package__inner=seen.append)
    assert [module] == seen


def test_a_hook_that_raises_costs_the_import_nothing(package, install, failures):
    install(hooked_package__inner=lambda _: 1 / 0)
    assert importlib.import_module(package).value == 42
    assert [("hooked_package.inner", "division by zero")] == [(name, str(error)) for name, error in failures]


def test_a_hooked_module_that_does_not_exist_is_missed_as_always(install):
    install(hooked_nowhere=lambda _: None)
    with pytest.raises(ModuleNotFoundError, match="hooked_nowhere"):
        importlib.import_module("hooked_nowhere")


def test_the_loader_keeps_its_type_and_what_else_it_can(package, install):
    import inspect
    from importlib.machinery import SourceFileLoader

    install(hooked_package__inner=lambda _: None)
    module = importlib.import_module(package)
    assert type(module.__spec__.loader) is SourceFileLoader
    assert inspect.getsource(module) == "value = 42\n"


def test_a_module_that_raises_is_not_hooked_and_raises_as_always(package, install, tmp_path):
    seen = []
    (tmp_path / "hooked_package" / "broken.py").write_text("1 / 0\n")
    install(hooked_package__broken=seen.append)
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("hooked_package.broken")
    assert [] == seen
