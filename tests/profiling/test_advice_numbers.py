"""The numbers behind the advice: shares, whose code a frame is, thresholds for a collector from its own figures."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advice_evidence import HANDLER, beneath, facts, go, golang, python, real
from runtime_exporter.profiling.advice import Facts, advise, weigh
from runtime_exporter.profiling.advice.facts import Collections, GoRuntime
from runtime_exporter.profiling.advice.frames import Frames, package
from runtime_exporter.profiling.advice.go_gc import proposed_gogc
from runtime_exporter.profiling.advice.origin import is_application, is_standard
from runtime_exporter.profiling.advice.process import collections, instruments
from runtime_exporter.profiling.advice.python_gc import freeze_ratio, proposed_threshold
from runtime_exporter.profiling.advice.weights import interval, site
from runtime_exporter.profiling.profile import Frame, build

PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
INTERPRETERS = sorted(PYENV.glob("3.1[0-9]*/bin/python"))
STANDARD = {
    "regex": "regex-compile",
    "json_text": "json-stdlib",
    "logged": "logging-in-hot-path",
    "tracebacks": "exceptions-as-control-flow",
    "imports": "import-at-runtime",
    "tls_context": "client-per-request",
    "deep_copy": "deepcopy",
    "date_format": "strptime",
}
MIB = 1 << 20


@pytest.mark.skipif(not INTERPRETERS, reason="no other interpreters below PYENV_ROOT")
@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda path: path.parts[-3])
def test_the_standard_librarys_functions_are_found_in_every_interpreter_here(interpreter):
    said = {name: [each.rule for each in advise(python(real(name, interpreter=str(interpreter))))] for name in STANDARD}

    assert {name: [rule] for name, rule in STANDARD.items()} == said


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("shop.orders:handle", "/srv/shop/orders.py", True),
        ("__main__:<module>", "/srv/main.py", True),
        ("queue:put", "/srv/queue.py", True),
        ("json:dumps", "/usr/lib/python3.11/json/__init__.py", False),
        ("json:dumps", "/opt/lib/python3.13t/json/__init__.py", False),
        ("json.encoder:encode", "json/encoder.py", False),
        ("_frozen_importlib:_find_and_load", "<frozen importlib._bootstrap>", False),
        ("flask.app:Flask.__call__", "/venv/lib/python3.12/site-packages/flask/app.py", False),
        ("yaml:load", "/usr/lib/python3/dist-packages/yaml/__init__.py", False),
        ("runtime_exporter.http:call", "/srv/exporter/runtime_exporter/http/__init__.py", False),
        ("(native thread)", "", False),
        ("<unknown>", "", False),
        ("[libssl.so]", "/usr/lib/libssl.so", False),
        ("main.useJSON", "/src/main.go", True),
        ("goapp/orders.(*Store).Get", "/src/orders/store.go", True),
        ("example.com/shop.Handle", "/src/handle.go", True),
        ("github.com/x/y.F", "/root/go/pkg/mod/github.com/x/y@v1.2.0/f.go", False),
        ("encoding/json.Marshal", "/usr/local/go/src/encoding/json/encode.go", False),
        ("runtime.mallocgc", "/usr/local/go/src/runtime/malloc.go", False),
        ("type:.eq.main.row", "", False),
    ],
)
def test_the_applications_frames_are_told_from_what_it_installed(name, file, expected):
    assert expected is is_application(Frame(name, file))


def test_the_standard_library_is_told_from_a_package_that_is_installed():
    assert is_standard(Frame("json:dumps", "/usr/lib/python3.11/json/__init__.py"))
    assert not is_standard(Frame("flask:x", "/venv/lib/python3.11/site-packages/flask/x.py"))
    assert not is_standard(HANDLER)


def test_methods_are_found_without_their_class_as_older_interpreters_name_them():
    frames = Frames("logging:Logger._log") | package("json")

    assert [True, True, True, True, False, False] == [
        frames(Frame(name))
        for name in (
            "logging:Logger._log", "logging:_log", "json:dumps", "json.encoder:x", "jsonschema:x", "logging:Logger.info",
        )
    ]  # fmt: skip


def test_the_site_is_the_applications_function_and_not_the_comprehension_in_it():
    matched = Frames("json:dumps")
    stack = (
        Frame("json:dumps", "/usr/lib/python3.11/json/__init__.py"),
        Frame("shop.orders:<listcomp>", "/srv/shop/orders.py"),
        HANDLER,
    )

    assert "shop.orders:handle" == site(stack, matched)
    assert "shop.orders:handle" == site(stack)
    assert "json:dumps" == site(stack[:1], matched)
    assert "unknown" == site(())


def test_a_profile_is_weighed_in_seconds_and_equal_stacks_are_one():
    stack = (HANDLER,)
    rows = [(stack, (3, 30_000_000), ()), (stack, (1, 10_000_000), ()), ((), (1, -5), ())]
    weighed = weigh(build("cpu", rows, time_nanos=0), "cpu")

    assert (1, 4, 0.04) == (len(weighed.stacks), weighed.samples, pytest.approx(weighed.total))


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_the_interval_has_the_share_in_it(share, samples):
    low, high = interval(share, samples)

    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_the_interval_is_wilsons():
    assert (0.2366, 0.7634) == tuple(round(each, 4) for each in interval(0.5, 10))  # R: prop.test(5, 10, correct=FALSE)
    assert (0.0, 1.0) == interval(0.5, 0)


def gc_facts(**changed):
    usual = {
        "seconds": 6.0,
        "collections": (900, 80, 5),
        "collected": (0, 0, 500),
        "thresholds": (700, 10, 10),
        "oldest_objects": 900_000,
    }
    return Collections(**{**usual, **changed})


def test_what_survives_full_collections_can_be_frozen():
    assert 1 - 100 / 900_100 == freeze_ratio(gc_facts())
    assert 0.0 == freeze_ratio(gc_facts(oldest_objects=0))
    assert 0.5 == freeze_ratio(gc_facts(oldest_objects=100, collected=(0, 0, 500)))


@pytest.mark.parametrize(
    ("share", "present", "expected"),
    [(0.10, 700, 7000), (0.005, 700, 700), (0.5, 5000, 100_000), (0.1, 200_000, 200_000)],
)
def test_the_proposed_threshold_aims_at_one_percent_and_never_goes_down(share, present, expected):
    assert expected == proposed_threshold(gc_facts(thresholds=(present, 10, 10)), share)


def test_the_collectors_advice_has_the_numbers_of_the_process():
    (said,) = advise(facts(gc=gc_facts()))

    assert "Of 900,000 objects" in said.what_to_do
    assert "gc.freeze()" in said.what_to_do
    assert "gc.set_threshold(7000, 10, 10) instead of (700, 10, 10)" in said.what_to_do
    assert "900 young and 5 full collections in the window come up to 10 times more rarely" in said.what_to_do


def test_objects_that_are_frozen_already_are_not_to_be_frozen():
    (said,) = advise(facts(gc=gc_facts(frozen=800_000)))

    assert "gc.freeze() once" not in said.what_to_do


def test_a_long_pause_alone_proposes_no_threshold():
    (said,) = advise(facts(gc=gc_facts(seconds=0.5, full_pause=0.4)))

    assert "set_threshold" not in said.what_to_do
    assert "gc.freeze()" in said.what_to_do


def test_the_process_tells_its_own_collections():
    before = gc.get_stats()
    gc.collect()
    told = collections(seconds=0.1, before=before)

    assert 1 <= told.collections[2]
    assert gc.get_threshold() == told.thresholds
    assert gc.get_freeze_count() == told.frozen
    assert 1000 < told.oldest_objects


def test_the_process_tells_who_traces_it():
    def tracer(*_):
        return None

    before, trace, profile = instruments().tracers, sys.gettrace(), threading.getprofile()
    threading.setprofile(tracer)
    try:
        assert sorted({*before, __name__}) == list(instruments().tracers)
    finally:
        threading.setprofile(profile)
    assert trace is sys.gettrace()


@pytest.mark.parametrize(
    ("live", "limit", "gogc", "expected"),
    [
        (100, 1000, 100, 600),
        (100, 1000, None, 600),
        (100, 1000, 600, None),
        (350, 1000, 100, None),
        (10, 1000, 100, 800),
        (None, 1000, 100, None),
        (100, None, 100, None),
    ],
)
def test_gogc_is_raised_only_within_seventy_percent_of_the_limit(live, limit, gogc, expected):
    runtime = GoRuntime(live_heap=live and live * MIB, container_limit=limit and limit * MIB, gogc=gogc)
    assert expected == proposed_gogc(runtime)


def test_gos_collector_gets_its_settings_from_its_heap_and_its_limit():
    runtime = GoRuntime(live_heap=100 * MIB, container_limit=1000 * MIB, gogc=100)
    (said,) = [each for each in advise(golang(go("gc"), facts=Facts(go=runtime))) if each.rule == "go-gc-cost"]

    assert said.what_to_do.startswith(
        "Set GOGC=600 (now 100) with GOMEMLIMIT=900MiB: collections become about 6.0 times rarer"
    )
    assert "main.useGC" in said.evidence["sites"]


def test_without_headroom_go_is_told_to_allocate_less():
    runtime = GoRuntime(live_heap=400 * MIB, container_limit=1000 * MIB)
    (said,) = [each for each in advise(golang(go("gc"), facts=Facts(go=runtime))) if each.rule == "go-gc-cost"]

    assert said.what_to_do.startswith("There is no known headroom")


def test_marking_on_idle_processors_costs_nobody_anything():
    idle = beneath(go("plain"), [Frame("runtime.gcDrainMarkWorkerIdle"), Frame("runtime.gcBgMarkWorker")])
    working = beneath(go("plain"), [Frame("runtime.gcDrainMarkWorkerDedicated"), Frame("runtime.gcBgMarkWorker")])

    assert [] == [each.rule for each in advise(golang(idle))]
    assert ["go-gc-cost"] == [each.rule for each in advise(golang(working))]
