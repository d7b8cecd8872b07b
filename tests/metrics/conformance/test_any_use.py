"""Any use in any order leaves both libraries with the same samples, and raises the same in both."""

from __future__ import annotations

import prometheus_client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from metrics.conformance.differences import outcome
from metrics.conformance.reading import exemplars, samples
from runtime_exporter import metrics

VALUES = st.sampled_from(["", "a", "b", "ü", 'q"\n\\', 1, 1.0, True, None, ("a",)])
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 0.5, 2.5, 1e18, True, float("inf"), "2", "x", None]),
    st.floats(allow_nan=False, min_value=-1e9, max_value=1e9),
)
TRACES = st.sampled_from([None, {}, {"trace_id": "a"}, {"trace_id": "x" * 130}, {"a": "ü", "b": ""}, {"__a": "b"}])
METHODS = {
    "Counter": ["inc", "reset", "count"],
    "Gauge": ["inc", "dec", "set", "track"],
    "Histogram": ["observe", "time"],
    "Summary": ["observe", "time"],
    "Info": ["info"],
    "Enum": ["state"],
}


@st.composite
def programs(draw):
    """A constructor's arguments, and what is then called: (method, labels by position, labels by name, argument, exemplar)."""
    kind = draw(st.sampled_from(sorted(METHODS)))
    names = draw(st.lists(st.sampled_from(["a", "b", "le", "quantile", "m", "__x"]), max_size=2, unique=True))
    more = {}
    if kind not in ("Info", "Enum") or draw(st.booleans()):
        more["unit"] = draw(st.sampled_from(["", "", "seconds"]))
    if kind == "Histogram":
        more["buckets"] = draw(st.sampled_from([(1, 2), ["0.5", "+Inf"], (-1, 0, 1), (), (2, 1), (float("inf"),)]))
    if kind == "Enum":
        more["states"] = draw(st.sampled_from([["a", "b"], ("x",), []]))
    if kind == "Gauge":
        more["multiprocess_mode"] = draw(st.sampled_from(["all", "livemostrecent", "other"]))
    calls = st.tuples(
        st.sampled_from([*METHODS[kind], *METHODS[kind], "labels", "remove", "remove_by_labels", "clear"]),
        st.lists(VALUES, min_size=max(len(names) - 1, 0), max_size=len(names)),
        st.dictionaries(st.sampled_from([*names, "z"]), VALUES, max_size=len(names) + 1) if names else st.just({}),
        NUMBERS,
        TRACES,
    )
    return kind, names, more, draw(st.lists(calls, max_size=12))


def call(metric, kind, method, by_position, by_name, number, trace):  # noqa: PLR0911 - a line each
    if method == "remove":
        return metric.remove(*by_position)
    if method == "remove_by_labels":
        return metric.remove_by_labels(by_name)
    if method == "clear":
        return metric.clear()
    child = metric.labels(*by_position, **by_name) if by_position or by_name or method == "labels" else metric
    if method == "labels":
        return None
    if method == "count":
        with child.count_exceptions((ValueError, TypeError)):
            return float(number)
    if method in ("track", "time"):
        with child.track_inprogress() if method == "track" else child.time():
            return None
    if kind == "Info":
        return child.info({"k": str(number)})
    if kind == "Enum":
        return child.state(trace and "b")
    arguments = [] if method == "reset" else [number]
    if trace is not None and kind in ("Counter", "Histogram") and arguments:
        arguments.append(trace)
    return getattr(child, method)(*arguments)


def run(library, kind, names, more, calls):
    """What each call returned or raised, and what was there and was written at last; a duration counts as 0."""
    registry = library.CollectorRegistry()
    try:
        metric = getattr(library, kind)("m_total", "M.", names, registry=registry, **more)
    except Exception as error:
        return type(error)
    seen = [outcome(call, metric, kind, *one) for one in calls]
    timed = any(method == "time" for method, *_ in calls)
    written = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(library.generate_latest(registry).decode())
        for sample in family.samples
    }
    found = [
        {key: 0.0 if timed and key[0].endswith("_sum") else pytest.approx(value) for key, value in each.items()}
        for each in (samples(metric), written)
    ]
    return seen, found, exemplars(metric)


def known(kind, names, calls):
    """Whether two of the listed differences have a part in it: labels that are missing, an amount that is no number."""
    odd = any(not isinstance(number, (int, float)) for *_, number, _ in calls)
    missing = bool(names) and any(method in ("reset", "info") for method, *_ in calls)
    return missing or (odd and (kind == "Summary" or bool(names)))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(programs())
def test_a_program_sees_the_same_of_both_libraries(program):
    kind, names, _, calls = program
    if known(kind, names, calls):
        return
    prometheus_client.disable_created_metrics()
    try:
        assert run(metrics, *program) == run(prometheus_client, *program)
    finally:
        prometheus_client.enable_created_metrics()
