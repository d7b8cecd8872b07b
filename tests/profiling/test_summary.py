"""Windows added up: the parts are the total, and nothing ever falls."""

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime_exporter.profiling.membership import Rules
from runtime_exporter.profiling.summary import INSTANT, Summary
from runtime_exporter.profiling.table import Table

MINUTE = 60.0


def table(self_, *, kind="cpu", unit="seconds", total=None, cum=None, links=(), window=1, counts=None, info=None):
    """A table of one-minute window number `window`."""
    return Table(
        kind,
        unit,
        sum(self_.values()) if total is None else total,
        sum((counts or {}).values()),
        self_,
        self_ if cum is None else cum,
        {name: (f"{name}.py", 1) for name in {**self_, **(cum or {})}} if info is None else info,
        (window - 1) * MINUTE,
        window * MINUTE,
        counts or {},
        {},
        frozenset(links),
    )


def added(tables, **rules):
    summary = Summary(Rules(**rules))
    tallies = [summary.add(one) for one in tables]
    return tallies[-1], tallies


def test_a_window_before_the_entry_is_of_the_others_and_one_after_it_of_the_member():
    tally, _ = added([table({"a": 1.5}, window=number) for number in (1, 2, 3)])
    assert {"a": 3 * 10**9} == tally.self_.members
    assert 1_500_000_000 == tally.self_.other
    assert 4_500_000_000 == tally.self_.total


def test_time_that_has_no_stack_is_of_the_others():
    tally, _ = added([table({"a": 1.0}, total=1.25, window=number) for number in (1, 2)])
    assert {"a": 10**9} == tally.self_.members
    assert 1_500_000_000 == tally.self_.other


def test_what_a_member_had_when_it_left_is_not_shown_as_work_of_the_others():
    rules = {"top": 1, "half_life": 60.0, "residency": 0.0, "leave_windows": 2}
    busy = [table({"a": 10.0, "b": 50.0}, window=number) for number in range(1, 6)]
    quiet = [table({"b": 60.0}, window=number) for number in range(6, 20)]
    tally, _ = added([table({"a": 10.0}, window=number) for number in (1, 2, 3)] + busy + quiet, **rules)
    assert {"b"} == tally.self_.members.keys()
    assert 20 * 10**9 < tally.self_.departed
    assert tally.self_.total == sum(tally.self_.members.values()) + tally.self_.other + tally.self_.departed


def test_contentions_have_the_members_of_their_delays():
    windows = [table({"a": 1.0, "b": 0.001}, kind="block", counts={"a": 2, "b": 900}, window=n) for n in (1, 2)]
    tally, _ = added(windows)
    assert {"a": 2} == tally.counts.members
    assert (900 + 902, 1804) == (tally.counts.other, tally.counts.total)


def test_a_heap_has_members_from_its_first_window_on_and_time_has_when_it_was_seen_again():
    summary = Summary()
    for kind, unit in (("heap", "bytes"), ("cpu", "seconds")):
        summary.add(table({"a": 90.0, "b": 10.0}, kind=kind, unit=unit, window=1))

    assert {"a": 90, "b": 10} == summary.totals()["heap"].self_.members
    assert {} == summary.totals()["cpu"].self_.members


def test_a_heap_is_as_it_was_at_the_last_window():
    windows = [table({"a": 100.0 * n, "b": 1.0 * n}, kind="heap", unit="bytes", window=n) for n in (1, 2, 3)]
    tally, _ = added(windows)
    assert {"a": 300} == tally.self_.members
    assert (3, 0, 303) == (tally.self_.other, tally.self_.departed, tally.self_.total)


def test_a_function_that_only_calls_one_other_is_not_among_the_cumulative_ones():
    windows = [table({"a": 1.0}, cum={"a": 1.0, "run": 1.0}, links={"run"}, window=n) for n in (1, 2)]
    assert {"a": 10**9} == added(windows)[0].cum


def test_members_are_known_with_file_and_line_also_when_a_window_lacks_them():
    windows = [table({"a": 1.0, "b": 0.001}, window=1), table({"a": 1.0}, window=2), table({"c": 1.0}, window=3)]
    assert {"a": ("a.py", 1)} == added(windows)[0].info


def test_a_window_without_samples_changes_no_membership():
    empty = [table({}, window=number) for number in range(3, 200)]
    tally, _ = added([table({"a": 1.0}, window=1), table({"a": 1.0}, window=2), *empty])
    assert {"a": 10**9} == tally.self_.members
    assert 199 == tally.windows


def test_a_negative_difference_counts_as_nothing():
    windows = [table({"a": 5.0}, window=1), table({"a": 5.0}, window=2), table({"a": -3.0}, total=-3.0, window=3)]
    assert {"a": 5 * 10**9} == added(windows)[0].self_.members


def test_kinds_are_counted_apart():
    summary = Summary()
    summary.add(table({"a": 1.0}))
    summary.add(table({"a": 2.0}, kind="wall"))
    assert {"cpu": 10**9, "wall": 2 * 10**9} == {kind: tally.self_.total for kind, tally in summary.totals().items()}


names = st.sampled_from(["gc", "idle", "other", *"abcdefghij"])
values = st.integers(0, 10**13).map(lambda ns: ns / 1e9) | st.floats(0, 1e4)
stacks = st.tuples(st.dictionaries(names, values), st.floats(0, 100), st.dictionaries(names, st.integers(0, 99)))


@settings(max_examples=200)
@given(st.lists(stacks, min_size=1, max_size=40), st.sampled_from(["cpu", "block", "heap"]), st.integers(1, 4))
def test_members_and_the_rest_are_the_total_exactly_and_nothing_ever_falls(history, kind, top):
    tables = [
        table(self_, kind=kind, total=sum(self_.values()) + extra, counts=counts, window=number)
        for number, (self_, extra, counts) in enumerate(history, start=1)
    ]
    _, tallies = added(tables, top=top, half_life=120.0, residency=120.0, leave_windows=2)
    before = None
    for tally in tallies:
        for account in (tally.self_, tally.counts):
            assert account.total == sum(account.members.values()) + account.other + account.departed
        if before is not None and kind not in INSTANT:
            for old, new in ((before.self_, tally.self_), (before.counts, tally.counts)):
                assert old.other <= new.other
                assert old.departed <= new.departed
                gains = [new.members[name] - old.members.get(name, 0) for name in new.members]
                assert all(gain >= 0 for gain in gains)
                assert new.total - old.total == sum(gains) + new.other - old.other
            assert all(tally.cum[name] >= before.cum[name] for name in tally.cum.keys() & before.cum.keys())
        before = tally
