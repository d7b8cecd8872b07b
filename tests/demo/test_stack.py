import importlib.util

import pytest

import tools
from runtime_exporter.demo import stack
from runtime_exporter.demo.stack import Stack, Tools
from runtime_exporter.errors import ExporterError, MissingExtraError, MissingToolError


def test_a_missing_python_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "flask" else real(name))
    with pytest.raises(MissingExtraError, match=r"flask is not installed: pip install 'runtime-exporter\[demo\]'"):
        stack.find_tools()


def test_alertmanager_may_have_either_name(monkeypatch, tmp_path):
    for name in ("prometheus", "alertmanager"):
        (tmp_path / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Tools(str(tmp_path / "prometheus"), str(tmp_path / "alertmanager")) == stack.find_tools()


def test_a_missing_program_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="prometheus is not installed: apt-get install prometheus"):
        stack.find_tools()


def test_a_part_that_does_not_start_is_reported_and_nothing_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    alertmanager = tools.require("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")
    broken, waited = Stack(Tools("/bin/false", alertmanager)), []
    with broken.running():
        children = list(broken.children)
        assert [True] == [child.alive for child in children if child.name == "alertmanager"]
        with pytest.raises(ExporterError, match="prometheus ended with status 1"):
            broken.wait_until_ready(waited.append)
    assert ["alertmanager", "prometheus", "shop", "customers"] == [child.name for child in children]
    assert [False] * 4 == [child.alive for child in children]
    assert [] == list(tmp_path.iterdir())
    assert waited


def test_what_does_not_become_ready_is_named():
    never = Stack(Tools("/bin/false", "/bin/false"))
    never._conditions = lambda: iter([("the moon is full", lambda: False)])
    with pytest.raises(ExporterError, match=r"the moon is full: not within 0\.2 s"):
        never.wait_until_ready(lambda _: None, limit=0.2)


def test_a_stack_that_does_not_run_has_no_addresses():
    with pytest.raises(ExporterError, match="is not running"):
        Stack(Tools("", "")).url("shop")
