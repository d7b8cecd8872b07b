"""The public surface: what __all__ says, no more and no less."""

from __future__ import annotations

import inspect

import runtime_exporter
from runtime_exporter import errors, metrics


def test_all_is_sorted_and_names_what_is_there():
    for module in (runtime_exporter, metrics):
        assert sorted(module.__all__) == sorted(set(module.__all__))
        assert [] == [name for name in module.__all__ if not hasattr(module, name)]


def test_every_error_is_public_and_has_one_base():
    raised = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.ExporterError)
    }
    assert raised <= set(runtime_exporter.__all__)


def test_the_drop_in_has_the_names_of_the_peer():
    wanted = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum", "REGISTRY", "CollectorRegistry"}
    assert wanted <= set(metrics.__all__)


def test_everything_public_says_what_it_is():
    assert [] == [name for name in runtime_exporter.__all__ if not inspect.getdoc(getattr(runtime_exporter, name))]
