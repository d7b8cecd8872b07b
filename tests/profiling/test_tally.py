"""Windows as counts, and their sums."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_windows import MINUTE, steady, window
from runtime_exporter.profiling import tally as module
from runtime_exporter.profiling.naming import IDLE, OTHER
from runtime_exporter.profiling.profile import Frame, ValueType, build
from runtime_exporter.profiling.table import Table, tabulate
from runtime_exporter.profiling.tally import Sums, add, tally

SECOND = 10**9


def table(self_, cum, total, samples, counts=None, kind="cpu"):
    return Table(kind, "seconds", total, samples, self_, cum, {}, 100.0, 160.0, counts or {})


def test_a_share_of_the_total_becomes_as_many_samples():
    one = module.window(table({"leaf": 3.0, "root": 1.0}, {"leaf": 3.0, "root": 4.0}, 4.0, 80))
    assert one.cum == {"leaf": 60.0, "root": 80.0}
    assert one.self_ == {"leaf": 60.0, "root": 20.0, OTHER: 0.0}
    assert (one.samples, one.total, one.begin, one.end) == (80.0, 4.0, 100.0, 160.0)


def test_a_real_profile_becomes_a_window():
    main, work = Frame("app:main", "app.py", 1), Frame("app:work", "app.py", 9)
    profile = build(
        [ValueType("samples", "count"), ValueType("cpu", "nanoseconds")],
        [((work, main), (30, 3 * SECOND), ()), ((main,), (10, SECOND), ())],
        time_nanos=50 * SECOND,
        duration_nanos=10 * SECOND,
        period_type=ValueType("cpu", "nanoseconds"),
        period=SECOND // 10,
    )
    one = module.window(tabulate(profile, "cpu"), requests=7.0, version="2")
    assert one.cum == {"app:main": 40.0, "app:work": 30.0}
    assert (one.kind, one.begin, one.end, one.requests, one.version) == ("cpu", 50.0, 60.0, 7.0, "2")


def test_idleness_is_in_neither_side_of_a_share():
    one = module.window(table({"leaf": 1.0, IDLE: 9.0}, {"leaf": 1.0, IDLE: 9.0}, 10.0, 100, {"leaf": 20, IDLE: 80}))
    assert one.cum == {"leaf": 20.0}
    assert (one.samples, one.total) == (20.0, 1.0)


def test_self_counts_of_small_functions_are_kept_as_other():
    one = module.window(table({"large": 999.5, "small": 0.5}, {"large": 1000.0, "small": 0.5}, 1000.0, 1000))
    assert one.self_ == {"large": 999.5, OTHER: 0.5}
    assert one.cum == {"large": 1000.0}


@pytest.mark.parametrize(("total", "samples"), [(0.0, 0), (0.0, 5), (5.0, 0)])
def test_a_window_with_nothing_in_it_counts_as_time_only(total, samples):
    empty = module.window(table({}, {}, total, samples))
    sums = tally([empty])
    assert (sums.windows, sums.samples, sums.seconds, dict(sums.functions)) == (0, 0.0, 60.0, {})


def test_the_sums_are_those_of_the_definition():
    windows = [window({"f": 0.1, "g": 0.2}), window({"f": 0.4}, begin=MINUTE, n=300)]
    sums = tally(windows)
    f = sums.functions["f"]
    assert f.samples == pytest.approx(240)
    assert f.squares == pytest.approx(120**2 / 1200 + 120**2 / 300)
    assert f.lagged == pytest.approx(120 * 120 / math.sqrt(1200 * 300))
    assert f.crossed == pytest.approx(120 * math.sqrt(300 / 1200) + 120 * math.sqrt(1200 / 300))
    assert (sums.windows, sums.samples, sums.squares) == (2, 1500, 1200**2 + 300**2)
    assert sums.adjacent == pytest.approx(600)
    assert sums.share("f") == pytest.approx(0.16)
    assert sums.share("nowhere") == 0


def test_windows_with_a_gap_between_them_are_no_neighbours():
    sums = tally([window({"f": 0.1}), window({"f": 0.4}, begin=5 * MINUTE)])
    assert sums.adjacent == 0
    assert sums.functions["f"].lagged == 0


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=8), st.integers(1, 7))
def test_sums_of_parts_add_up_to_the_sums_of_the_whole(shares, cut):
    cut = min(cut, len(shares) - 1)
    # One window of distance between the parts: neighbours across a cut are not known to either part.
    windows = [window({"f": share}, begin=(index + 2 * (index >= cut)) * MINUTE) for index, share in enumerate(shares)]
    whole, parts = tally(windows), add([tally(windows[:cut]), tally(windows[cut:])])
    assert tuple(parts.functions["f"]) == pytest.approx(tuple(whole.functions["f"]))
    assert (parts.windows, parts.begin, parts.end, parts.adjacent) == pytest.approx(
        (whole.windows, whole.begin, whole.end, whole.adjacent)
    )


def test_requests_are_unknown_as_soon_as_one_window_does_not_know_them():
    assert tally([window({}, requests=2), window({}, begin=MINUTE, requests=3)]).requests == 5
    assert tally([window({}, requests=2), window({}, begin=MINUTE)]).requests is None


def test_a_version_is_kept_only_when_it_is_that_of_all_windows():
    assert tally([window({}, version="1"), window({}, begin=MINUTE, version="1")]).version == "1"
    assert tally([window({}, version="1"), window({}, begin=MINUTE, version="2")]).version == ""


def test_costs_are_per_request_per_second_or_of_a_level():
    sums = steady({"f": 0.5}, 2, cores=3, requests=90)
    assert sums.cost("f", per_request=False) == pytest.approx(1.5)
    assert sums.cost("f", per_request=True) == pytest.approx(1.0)
    assert steady({"f": 0.5}, 2, cores=3, kind="heap").cost("f", per_request=False) == pytest.approx(90)
    assert steady({"f": 0.5}, 2).cost("f", per_request=True) == 0


@pytest.mark.parametrize("join", [tally, add])
def test_nothing_has_no_tally(join):
    with pytest.raises(ValueError, match="not of nothing"):
        join([])


def test_kinds_do_not_mix():
    with pytest.raises(ValueError, match=r"\['cpu', 'wall'\]"):
        tally([window({}), window({}, kind="wall")])
    with pytest.raises(ValueError, match=r"\['cpu', 'wall'\]"):
        add([steady({}, 1), steady({}, 1, kind="wall")])


def test_sums_begin_at_nothing():
    assert Sums() == (0, 0, 0, 0, 0)


def test_time_of_which_no_stack_is_known_makes_no_share_vary():
    seconds = 10**9
    rows = [
        ((Frame("app:work"),), (30, 3 * seconds), ()),
        ((Frame("app:rest"),), (10, 1 * seconds), ()),
        ((Frame("(not sampled)"),), (0, 40 * seconds), ()),
        ((Frame("(runtime-exporter)"),), (0, 2 * seconds), ()),
    ]
    known = module.window(tabulate(build("cpu", rows, time_nanos=0, duration_nanos=60 * seconds), kind="cpu"))
    assert (40.0, 4.0) == (known.samples, known.total)
    assert {"app:work": 30.0, "app:rest": 10.0} == known.cum
    assert {"app:work": 30.0, "app:rest": 10.0, "other": 0.0} == known.self_
