"""What a process that profiles itself serves, where it is not simply what somebody else returns."""

from types import SimpleNamespace

import pytest

from runtime_exporter.profiling.profile import IN_USE, Frame, build
from runtime_exporter.web.pprof_sources import sources_of


def heap(kind, values):
    return build(kind, [((Frame("shop:load"),), values, ())], time_nanos=1)


WINDOW = heap("heap", (3, 192, 2, 128))
GROWTH = heap(IN_USE, (2, 128))


def allocs_of(profile):
    """Return what `allocs` is over a time in which `profile` was the heap's, and what was asked for."""
    asked = []
    on_demand = SimpleNamespace(take=lambda kind, seconds, _, *, keep: asked.append((kind, seconds)) or profile)
    sources = sources_of(SimpleNamespace(on_demand=on_demand, locks=None))
    return sources.windows["allocs"](2.0, lambda: False), asked


def test_allocs_is_the_heap_of_that_time_by_what_was_allocated():
    profile, asked = allocs_of(WINDOW)

    assert [("heap", 2.0)] == asked
    assert 192 == profile.total(profile.index())
    assert WINDOW.samples == profile.samples


def test_allocs_of_what_only_tells_what_is_alive_shows_that():
    profile, _ = allocs_of(GROWTH)

    assert 128 == profile.total(profile.index())


@pytest.mark.parametrize("name", ["heap", "allocs"])
def test_both_names_of_the_memory_say_which_setting_they_need(name):
    sources = sources_of(SimpleNamespace(on_demand=None, locks=None))

    assert "profile_heap" in sources.unavailable[name]()
