"""A profile as a table: the columns are pprof's flat and cum, under names that are fit for a label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.naming import LONGEST_LABEL, label
from runtime_exporter.profiling.profile import (
    Frame,
    Function,
    Line,
    Location,
    Mapping,
    Profile,
    Sample,
    ValueType,
    build,
)
from runtime_exporter.profiling.table import tabulate

MS = 10**6


def stack(*names):
    """A stack given root first, as people say it; each function in a file and at a line of its own."""
    return tuple(Frame(name, f"{name.partition(':')[0]}.py", len(name), 1) for name in reversed(names))


def cpu(*samples, kind="cpu", duration=60 * 10**9):
    return build(
        kind,
        [(stack(*names), values, ()) for names, values in samples],
        time_nanos=1_700_000_000 * 10**9,
        duration_nanos=duration,
        executable="/usr/bin/python3",
    )


def test_self_goes_to_the_leaf_and_cum_to_everybody_on_the_stack():
    table = tabulate(cpu((("a:main", "a:work"), (3, 150 * MS)), (("a:main",), (1, 50 * MS))))
    assert ("cpu", "seconds", 0.2, 4) == (table.kind, table.unit, table.total, table.samples)
    assert {"a:work": 0.15, "a:main": 0.05} == table.self_
    assert {"a:work": 0.15, "a:main": 0.2} == table.cum
    assert {"a:work": 3, "a:main": 1} == table.counts


def test_a_recursive_function_is_counted_once_in_a_sample():
    table = tabulate(cpu((("a:walk", "a:walk", "a:walk"), (1, 50 * MS))))
    assert {"a:walk": 0.05} == table.cum
    assert {} == table.callers


def test_a_table_says_when_its_profile_was_taken_and_where_its_functions_are():
    table = tabulate(cpu((("a:main", "b:work"), (1, 50 * MS))))
    assert (1_700_000_000.0, 1_700_000_060.0) == (table.begin, table.end)
    assert {"a:main": ("a.py", 1), "b:work": ("b.py", 1)} == table.info


def test_the_kind_chooses_the_sample_type_and_the_count_that_belongs_to_it():
    profile = cpu((("a:main",), (5, 500, 2, 200)), kind="heap")
    in_use, allocated = tabulate(profile, kind="heap"), tabulate(profile, kind="allocs")
    assert ("heap", "bytes", 200.0, 2) == (in_use.kind, in_use.unit, in_use.total, in_use.samples)
    assert ("allocs", "bytes", 500.0, 5) == (allocated.kind, allocated.unit, allocated.total, allocated.samples)
    assert "allocs" == tabulate(profile, "alloc_space").kind


def test_a_sample_type_that_there_is_not_is_refused():
    with pytest.raises(ProfileError, match="no sample type 'wall'"):
        tabulate(cpu(), "wall")


def test_a_sample_without_a_stack_is_in_the_total_only():
    table = tabulate(cpu(((), (1, 50 * MS)), (("a:main",), (1, 50 * MS))))
    assert 0.1 == table.total
    assert {"a:main": 0.05} == table.self_


def test_a_wait_belongs_to_the_site_that_waits_and_not_to_the_machinery():
    go = (("main.main", "main.serve", "sync.(*Mutex).Lock", "internal/sync.(*Mutex).lockSlow"), (4, 9 * MS))
    python = (("app:main", "app:take", "queue:Queue.get", "threading:Condition.wait"), (1, 1 * MS))
    for kind in ("block", "mutex"):
        table = tabulate(cpu(go, python, kind=kind), kind=kind)
        assert {"main.serve": 0.009, "app:take": 0.001} == table.self_
        assert {"main.serve": 4, "app:take": 1} == table.counts


def test_a_wait_in_machinery_alone_belongs_to_its_leaf():
    table = tabulate(
        cpu((("threading:Thread._bootstrap", "threading:Condition.wait"), (1, MS)), kind="block"), kind="block"
    )
    assert {"threading:Condition.wait": 0.001} == table.self_


def test_an_idle_stack_is_counted_as_idle_and_nowhere_else():
    samples = ((("a:main", "a:work"), (1, 50 * MS)), (("a:pool", "queue:Queue.get"), (9, 450 * MS)))
    table = tabulate(cpu(*samples, kind="wall"), idle=lambda frames: frames[0].name == "queue:Queue.get")
    assert {"a:work": 0.05, "idle": 0.45} == table.self_
    assert {"a:main": 0.05, "a:work": 0.05, "idle": 0.45} == table.cum


def test_inlined_functions_are_functions():
    inner, outer = Function(1, "main.inner"), Function(2, "main.outer")
    location = Location(7, None, 0x10, (Line(inner, 3), Line(outer, 9)))
    profile = Profile(
        (ValueType("cpu", "nanoseconds"),), (Sample((location,), (10**9,)),), (), (location,), (inner, outer)
    )
    table = tabulate(profile)
    assert {"main.inner": 1.0} == table.self_
    assert {"main.inner": 1.0, "main.outer": 1.0} == table.cum
    assert {"main.inner": "main.outer"} == table.callers


def test_a_place_without_symbols_is_named_after_its_binary_and_not_after_its_address():
    mapping = Mapping(1, filename="/usr/lib/libssl.so.3")
    known, unknown = Location(1, mapping, 0xDEADBEEF), Location(2, None, 0xDEADBEEF)
    samples = (Sample((known,), (10**9,)), Sample((unknown,), (10**9,)))
    profile = Profile((ValueType("cpu", "nanoseconds"),), samples, (mapping,), (known, unknown))
    assert {"[libssl.so.3]": 1.0, "<unknown>": 1.0} == tabulate(profile).self_


def test_a_chain_of_functions_that_only_call_one_other_is_known():
    busy = (
        (("a:run", "a:_run", "a:main", "a:left"), (1, 60 * MS)),
        (("a:run", "a:_run", "a:main", "a:right"), (1, 40 * MS)),
    )
    table = tabulate(cpu(*busy))
    assert {"a:run", "a:_run"} == table.links
    assert "a:main" == table.callers["a:left"]


def test_the_caller_of_a_function_is_the_one_that_brings_most():
    table = tabulate(cpu((("a:small", "a:hot"), (1, 10 * MS)), (("a:large", "a:hot"), (1, 90 * MS))))
    assert {"a:hot": "a:large"} == table.callers


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop.app:Cart.total", "shop.app:Cart.total"),
        ("main.Map[go.shape.int,main.Set[string]].func1", "main.Map.func1"),
        ("main.(*Tree[...]).Walk", "main.(*Tree).Walk"),
        ("runtime.gcBgMarkWorker.func2", "gc"),
        ("runtime.gcDrain", "gc"),
        ("runtime_exporter.collectors.gc:_pause_callback.<locals>.on_collection", "gc"),
        ("<GC>", "gc"),
        ("runtime.mallocgc", "runtime.mallocgc"),
        ("m:<built-in method x of object at 0x7f00aa>", "m:<built-in method x of object>"),
        ("0x7f00aa", "<unknown>"),
        ("", "<unknown>"),
        ("a:b\nc\ud800", "a:b?c?"),
        ("a:f.<locals>.<lambda>", "a:f.<locals>.<lambda:12>"),
    ],
)
def test_a_label_has_no_addresses_no_type_arguments_and_no_lines(name, expected):
    assert expected == label(Frame(name, "a.py", 99, 12))


def test_a_long_name_keeps_both_ends():
    name = label(Frame("a" * 100 + "b" * 100))
    assert LONGEST_LABEL == len(name)
    assert ("a" * 60, "…", "b" * 59) == (name[:60], name[60], name[61:])


names = st.text(st.characters(), max_size=200)


@given(names, st.integers(-1, 10**6))
def test_a_label_is_short_printable_and_never_empty(name, line):
    made = label(Frame(name, "", 0, line))
    assert 0 < len(made) <= LONGEST_LABEL
    assert made.isprintable()
    made.encode()


functions = st.sampled_from(["a:x", "a:y", "b:x", "b:y", "main.f", "main.g"])
samples = st.tuples(st.lists(functions, max_size=6).map(tuple), st.tuples(st.integers(0, 9), st.integers(0, 10**12)))


@given(st.lists(samples, max_size=20))
def test_the_columns_agree_with_each_other(given_samples):
    table = tabulate(cpu(*given_samples))
    in_ns = {name: round(value * 1e9) for name, value in table.self_.items()}
    assert sum(values[1] for names, values in given_samples if names) == sum(in_ns.values())
    assert sum(values[1] for _, values in given_samples) == round(table.total * 1e9)
    assert all(table.self_[name] <= table.cum[name] <= table.total for name in table.self_)
    assert set(table.cum) >= {*table.self_, *table.callers, *table.links}
    assert set(table.cum) == set(table.info)


def test_time_of_a_goroutine_that_a_signal_stopped_is_that_of_its_own_function():
    stopped = (Frame("runtime.asyncPreempt"), Frame("main.loop"), Frame("main.main"))
    profile = build("cpu", [(stopped, (3, 30), ()), (stopped[1:], (1, 10), ())], time_nanos=0)

    table = tabulate(profile, kind="cpu")

    assert {"main.loop": 40e-9} == table.self_
    assert {"main.loop": 40e-9, "main.main": 40e-9} == table.cum
    assert 40e-9 == table.total


@pytest.mark.parametrize("kind", ["goroutine", "goroutineleak"])
def test_goroutines_are_counted_where_they_stand_in_the_program_and_not_where_all_wait(kind):
    stacks = [
        (tuple(map(Frame, ("runtime.gopark", "runtime.chansend", "main.notify"))), (7,), ()),
        (tuple(map(Frame, ("runtime.gopark", "internal/poll.(*FD).Read", "net.(*conn).Read"))), (2,), ()),
        ((Frame("runtime.bgsweep"),), (1,), ()),
    ]
    table = tabulate(build([ValueType(kind, "count")], stacks, time_nanos=0), kind=kind)

    assert {"main.notify": 7, "net.(*conn).Read": 2, "runtime.bgsweep": 1} == table.self_
