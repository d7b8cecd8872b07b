"""Arbitrary profiles for property tests: sparse ids, inlined lines, empty stacks, negative values, every optional thing."""

from __future__ import annotations

from hypothesis import strategies as st

from runtime_exporter.profiling.profile import Function, Label, Line, Location, Mapping, Profile, Sample, ValueType

INT64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 300)
UINT64 = st.integers(0, 2**64 - 1) | st.integers(0, 300)
IDS = st.integers(1, 2**64 - 1) | st.integers(1, 300)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUE_TYPES = st.builds(ValueType, TEXTS, TEXTS)
LABELS = st.builds(Label, TEXTS, TEXTS, INT64, TEXTS)
BOOLEANS = st.booleans()


def tables(entries, **options):
    """Tuples of entries whose ids differ."""
    return st.lists(entries, unique_by=lambda entry: entry.id, **options).map(tuple)


MAPPINGS = st.builds(Mapping, IDS, UINT64, UINT64, UINT64, TEXTS, TEXTS, BOOLEANS, BOOLEANS, BOOLEANS, BOOLEANS)
FUNCTIONS = st.builds(Function, IDS, TEXTS, TEXTS, TEXTS, INT64)


@st.composite
def profiles(draw):
    """Valid profiles of any shape."""
    sample_types = draw(st.lists(VALUE_TYPES, min_size=1, max_size=4).map(tuple))
    mappings = draw(tables(MAPPINGS, max_size=3))
    functions = draw(tables(FUNCTIONS, max_size=5))
    mapping = st.none() | st.sampled_from(mappings) if mappings else st.none()
    lines = (
        st.lists(st.builds(Line, st.sampled_from(functions), INT64, INT64), max_size=3) if functions else st.just(())
    )
    locations = draw(tables(st.builds(Location, IDS, mapping, UINT64, lines.map(tuple), BOOLEANS), max_size=6))
    stacks = st.lists(st.sampled_from(locations), max_size=5) if locations else st.just(())
    values = st.tuples(*[INT64] * len(sample_types))
    samples = st.builds(Sample, stacks.map(tuple), values, st.lists(LABELS, max_size=3).map(tuple))
    return Profile(
        sample_types,
        draw(st.lists(samples, max_size=6).map(tuple)),
        mappings,
        locations,
        functions,
        drop_frames=draw(TEXTS),
        keep_frames=draw(TEXTS),
        time_nanos=draw(INT64),
        duration_nanos=draw(INT64),
        period_type=draw(VALUE_TYPES),
        period=draw(INT64),
        comments=draw(st.lists(TEXTS, max_size=3).map(tuple)),
        default_sample_type=draw(TEXTS),
        doc_url=draw(TEXTS),
    )
