"""The codec of pprof's format: what is read is what was written, and what is no profile is refused in one line."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pprof_strategies import profiles
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pprof import decode, encode
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.pprof.wire import fields
from runtime_exporter.profiling.profile import (
    CPU,
    SAMPLES,
    Frame,
    Function,
    Label,
    Line,
    Location,
    Mapping,
    Profile,
    Sample,
    ValueType,
    build,
    frames,
)

DATA = Path(__file__).parent / "testdata"
REAL = sorted(DATA.glob("*.pb.gz"))


def zipped(data):
    """Compress without the time of day, which would be in the name of a test."""
    return gzip.compress(data, mtime=0)


def message(*parts):
    """A message of profile.proto of (field, int or bytes)."""
    return b"".join(field(number, content) for number, content in parts)


def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number):
    number %= 1 << 64
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


STRINGS = [(6, text.encode()) for text in ("", "samples", "count", "main.work", "/src/main.go")]
SAMPLE_TYPE = (1, message((1, 1), (2, 2)))
FUNCTION = (5, message((1, 7), (2, 3), (3, 3), (4, 4), (5, 10)))
LOCATION = (4, message((1, 9), (3, 0x400), (4, message((1, 7), (2, 12)))))


def one_sample(*parts):
    return message(SAMPLE_TYPE, (2, message(*parts)), LOCATION, FUNCTION, *STRINGS)


@given(profiles())
def test_what_is_written_is_read_again(profile):
    assert profile == decode(encode(profile))
    assert profile == decode(encode(profile, compress=False))


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_profile_survives_being_written_again(path):
    profile = decode(path.read_bytes())

    assert profile.sample_types
    assert profile == decode(encode(profile))


def test_there_are_real_profiles_of_every_kind_of_go():
    kinds = {"allocs", "block", "cpu", "goroutine", "goroutineleak", "heap", "mutex", "threadcreate"}

    assert kinds == {path.name.removesuffix(".pb.gz") for path in REAL}


def test_gzip_is_optional_and_may_come_in_several_members():
    raw = gzip.decompress((DATA / "heap.pb.gz").read_bytes())
    expected = decode(raw)

    assert expected == decode(zipped(raw))
    assert expected == decode(zipped(raw[:500]) + zipped(b"") + zipped(raw[500:]))


def test_the_same_profile_gives_the_same_bytes():
    profile = decode((DATA / "cpu.pb.gz").read_bytes())

    assert encode(profile) == encode(profile)


def test_the_string_table_may_stand_anywhere():
    first = message(*STRINGS, SAMPLE_TYPE, FUNCTION, LOCATION, (2, message((1, 9), (2, 5))))

    assert decode(one_sample((1, 9), (2, 5))) == decode(first)


def test_lists_may_be_packed_or_not_or_both():
    packed = decode(one_sample((1, b"\x09\x09\x09"), (2, b"\x05")))

    assert 3 == len(packed.samples[0].locations)
    assert packed == decode(one_sample((1, 9), (1, 9), (1, 9), (2, 5)))
    assert packed == decode(one_sample((1, 9), (1, b"\x09\x09"), (2, 5)))


def test_a_number_may_be_written_longer_than_it_needs():
    assert decode(one_sample((1, b"\x09"), (2, b"\x05"))) == decode(one_sample((1, b"\x89\x80\x00"), (2, b"\x85\x00")))


def test_fields_may_come_in_any_order_and_unknown_ones_are_passed_over():
    function = message((5, 10), (9, b"new"), (4, 4), (2, 3), (1, 7), (3, 3))
    line = message((2, 12), (77, 1), (1, 7))
    location = message((4, line), (3, 0x400), (1, 9), (21, b"new")) + b"\x61eightbyt" + b"\x65four"
    shuffled = message((99, b"new"), (5, function), (4, location), *STRINGS, SAMPLE_TYPE, (2, message((2, 5), (1, 9))))

    assert decode(one_sample((1, 9), (2, 5))) == decode(shuffled)


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_profile_in_the_order_of_other_writers_is_the_same_profile(path):
    """Go's runtime puts values before the stack and the mapping of a location behind its lines; others go by the numbers."""
    raw = gzip.decompress(path.read_bytes())
    reordered = message(*(_by_numbers(tag, number, content) for tag, number, content in fields(raw)))

    assert (raw == reordered) == ("goroutineleak" in path.name)  # without leaks it has no sample
    assert decode(raw) == decode(reordered)


def _by_numbers(tag, number, content):
    """Return a field of a profile for `message`; the fields of a sample (2) and of a location (4) ordered by their numbers."""
    if tag >> 3 not in (2, 4):
        return _part(tag, number, content)
    parts = [_part(*part) for part in fields(content)]
    return tag >> 3, message(*sorted(parts, key=lambda part: part[0]))


def _part(tag, number, content):
    return tag >> 3, content if tag & 7 else number


def test_of_a_number_that_comes_twice_the_last_one_holds():
    assert 2 == decode(message((9, 1), (9, 2), (6, b""))).time_nanos


@pytest.mark.parametrize("value", [-1, -1_570_000, -(2**63), 2**63 - 1])
def test_a_delta_may_be_negative(value):
    profile = decode(one_sample((1, 9), (2, value)))

    assert (value,) == profile.samples[0].values
    assert profile == decode(encode(profile))


def test_a_stack_may_be_empty():
    profile = decode(one_sample((2, 5)))

    assert () == profile.samples[0].locations
    assert profile == decode(encode(profile))


def test_inlined_functions_are_frames_of_their_own_leaf_first():
    inner, outer = Function(1, "inner", "", "a.go"), Function(2, "outer", "", "b.go")
    caller = Function(3, "caller", "", "c.go")
    locations = (Location(10, None, 1, (Line(inner, 5), Line(outer, 6))), Location(2**40, None, 2, (Line(caller, 7),)))
    profile = Profile((SAMPLES,), (Sample(locations, (1,)),), (), locations, (inner, outer, caller))

    stack = frames(decode(encode(profile)).samples[0])

    assert (Frame("inner", "a.go", 5), Frame("outer", "b.go", 6), Frame("caller", "c.go", 7)) == stack


def test_a_location_without_symbols_is_named_for_its_binary():
    libc = Mapping(1, 0x1000, 0x2000, 0, "/lib/libc.so.6")

    assert (Frame("[libc.so.6]", "/lib/libc.so.6"), Frame("<unknown>")) == frames(
        Sample((Location(1, libc, 0x1100), Location(2, None, 0x5)), (1,))
    )


def test_text_that_is_no_utf8_is_read_and_written_all_the_same():
    data = message((6, b""), (6, b"caf\xe9"), (13, 1))

    assert ("caf\ufffd",) == decode(data).comments
    assert ("a?b",) == decode(encode(Profile(comments=("a\udce9b",)))).comments


def test_the_labels_of_go_are_read():
    labels = {label for sample in decode((DATA / "cpu.pb.gz").read_bytes()).samples for label in sample.labels}

    assert {Label("handler", "search"), Label("handler", "spin"), Label("größe", 'ü "quoted"')} == labels


# --- what is refused


@pytest.mark.parametrize("name", ["goroutine.txt", "goroutine2.txt", "heap.txt", "mutex.txt"])
def test_a_text_profile_is_refused_with_the_way_out(name):
    with pytest.raises(ProfileError, match=r"in text form, for people: fetch it without debug=1 or debug=2"):
        decode((DATA / name).read_bytes())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty: 0 bytes"),
        (zipped(b""), "is empty: 0 bytes once decompressed"),
        (zipped(zipped(b"x")), "compressed twice"),
        (zipped(b"x" * 999)[:-9], "cut off"),
        (zipped(b"x" * 999)[:20] + b"zzzzzzzzzzzzzz", "damaged"),
        (zipped(b"x") + b"garbage", "damaged"),
        (b"\x7fELF\x02\x01\x01", "but an executable"),
        (b"\x28\xb5\x2f\xfd0000", "but compressed by zstd"),
        (b"FLR\x00\x00\x02", "Java Flight Recorder"),
        (b"go 1.27 trace\x00\x00\x00", "but an execution trace of Go"),
        (b'{"nodes": [', "but JSON"),
        (b"<!DOCTYPE html>\n<html>", "but HTML"),
        (b"404 page not found\n", "but text: it begins with '404 page not found'"),
        ("größe;main 12\n".encode(), "but text: it begins with 'größe;main 12'"),
    ],
)
def test_what_is_no_profile_is_called_by_its_name(data, words):
    with pytest.raises(ProfileError) as caught:
        decode(data)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (one_sample((1, 9)), "a sample has 0 values for 1 sample types"),
        (one_sample((1, 9), (2, b"\x01\x02")), "a sample has 2 values for 1 sample types"),
        (one_sample((1, 8), (2, 5)), "a sample is of location 8, which is not there"),
        (one_sample((1, b"\x09\x08"), (2, 5)), "a sample is of location 8, which is not there"),
        (one_sample((1, b"\x89"), (2, 5)), "a number does not end"),
        (one_sample((1, b"\xff" * 9 + b"\x7f"), (2, 5)), "more than 64 bits"),
        (message(LOCATION, *STRINGS), "a line is of function 7, which is not there"),
        (message(FUNCTION, FUNCTION, *STRINGS), "two functions have the id 7"),
        (message((5, b""), *STRINGS), "a function has the id 0"),
        (message(SAMPLE_TYPE), "it has 0 strings, and something is called by number 1"),
        (message((6, b""), (14, 2)), "it has 1 strings, and something is called by number 2"),
        (message((6, b""), (14, -1)), "something is called by number -1"),
        (message((6, b"a")), "its first string is not the empty one"),
        (b"\x0a\x05\x08", "cut off"),
        (b"\x12", "cut off"),
        (message((2, b"")), "it has samples, but no sample types"),
        (b"\x08\x80", "does not end"),
        (b"\x0b\x01", "wire type 3"),
        (one_sample((2, 5), (3, b"\x0a" + varint(2**63))), "cut off"),
        (message(*[SAMPLE_TYPE] * 65, *STRINGS), "it has 65 sample types"),
    ],
)
def test_a_broken_message_is_refused_with_what_is_broken(data, words):
    with pytest.raises(ProfileError) as caught:
        decode(data)

    assert words in str(caught.value)


@given(st.binary(max_size=300))
@settings(max_examples=400)
def test_bytes_are_a_profile_or_a_profile_error(data):
    read_or_refused(data)


@given(st.lists(st.tuples(st.integers(1, 16), st.integers(0, 2**64) | st.binary(max_size=30)), max_size=12))
@settings(max_examples=400)
def test_a_message_is_a_profile_or_a_profile_error(parts):
    read_or_refused(message(*parts))


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_damaged_real_profile_is_a_profile_or_a_profile_error(path):
    """Flips, cuts and repeats bytes; 300 variants of each, the same ones each time."""
    raw = gzip.decompress(path.read_bytes())
    chance = random.Random(path.name)
    outcomes = set()
    for _ in range(300):
        data = bytearray(raw)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(data))
            change = chance.randrange(3)
            if change == 0:
                data[place] = chance.randrange(256)
            elif change == 1:
                del data[place : place + chance.randrange(1, 40)]
            else:
                data[place:place] = data[max(0, place - 20) : place]
        outcomes.add(read_or_refused(bytes(data)))
    assert {"refused"} <= outcomes


def read_or_refused(data):
    try:
        profile = decode(data, limit=1 << 20)
    except ProfileError:
        return "refused"
    check(profile)
    assert profile == decode(encode(profile))
    return "read"


MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    "data",
    [
        zipped(bytes(64 * MEBIBYTE)),
        b"\x12\x00" * (MEBIBYTE // 2),
        b"\x32\x00" * (MEBIBYTE // 2),
        b"\x68\x00" * (MEBIBYTE // 2),
        field(13, bytes(MEBIBYTE - 10)),
        message((6, b""), (1, b""), *[(2, message((2, 1)))] * (MEBIBYTE // 6)),
        message((6, b""), (1, b""), (2, message((2, 1)) + b"\x1a\x00" * (MEBIBYTE // 2 - 20))),
        message((6, b""), (4, b"\x08\x01" + b"\x22\x00" * (MEBIBYTE // 2 - 20))),
        message((6, b""), (5, message((1, 1))), (4, message((1, 1)) + field(4, b"\x08\x01") * (MEBIBYTE // 4 - 20))),
        one_sample((1, b"\x80" * (MEBIBYTE - 200)), (2, 1)),
        one_sample((1, b"\x09" * (MEBIBYTE - 200)), (2, 1)),
        b"".join(zipped(b"") for _ in range(MEBIBYTE // 21)),
    ],
    ids=lambda data: f"{data[:8].hex()}…{len(data)}",
)
def test_a_bomb_is_refused_in_bounded_memory(data):
    tracemalloc.start()
    try:
        with pytest.raises(ProfileError):
            decode(data, limit=MEBIBYTE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 64 * MEBIBYTE


def test_the_limit_is_of_the_decompressed_profile():
    data = (DATA / "heap.pb.gz").read_bytes()
    size = len(gzip.decompress(data))

    assert decode(data) == decode(data, limit=size)
    with pytest.raises(ProfileError, match=f"larger than {size - 1} bytes once decompressed"):
        decode(data, limit=size - 1)
    with pytest.raises(ProfileError, match=r"larger than 100 bytes$"):
        decode(data, limit=100)


# --- what is not written


PYTHON = build(
    [SAMPLES, CPU],
    [((Frame("app:f", "app.py", 3, 1), Frame("app:<lambda>", "app.py", 9, 9)), (1, 10), ())],
    time_nanos=1,
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sample_types": ()}, "needs sample types"),
        ({"sample_types": (SAMPLES,)}, "sample 0 has 2 values for 1 sample types"),
        ({"locations": ()}, "a location that is used is not the one listed"),
        ({"functions": ()}, "a function that is used is not the one listed"),
        ({"mappings": ()}, "a mapping that is used is not the one listed"),
        ({"locations": PYTHON.locations * 2}, "two locations have the same id"),
        ({"functions": (*PYTHON.functions, Function(0, "zero"))}, "a function has the id 0"),
        ({"functions": tuple(f._replace(name="other") for f in PYTHON.functions)}, "is not the one listed"),
        ({"period": 2**64}, "more than 64 bits"),
        ({"time_nanos": -(2**63) - 1}, "more than 64 bits"),
    ],
)
def test_an_inconsistent_profile_is_not_written(changes, words):
    with pytest.raises(ProfileError) as caught:
        encode(replace(PYTHON, **changes))

    assert words in str(caught.value)


def test_a_profile_of_frames_names_functions_once_and_its_executable():
    twice = build("cpu", [(frames(PYTHON.samples[0]), (1, 10), ())] * 2, time_nanos=5, executable="/usr/bin/python3")

    assert ["app:f", "app:<lambda>"] == [function.name for function in twice.functions]
    assert 2 == len(twice.locations)
    assert twice.samples[0] == twice.samples[1]
    assert ["/usr/bin/python3"] == [mapping.filename for mapping in twice.mappings]
    assert (SAMPLES, CPU) == twice.sample_types
    assert CPU == twice.period_type


def test_the_default_view_is_the_last_sample_type_unless_the_profile_says_otherwise():
    allocs = decode((DATA / "allocs.pb.gz").read_bytes())
    heap = decode((DATA / "heap.pb.gz").read_bytes())

    assert ValueType("alloc_space", "bytes") == allocs.sample_types[allocs.index()]
    assert ValueType("inuse_space", "bytes") == heap.sample_types[heap.index()]
    assert 0 == heap.index("alloc_objects")
    with pytest.raises(
        ProfileError, match=r"no sample type 'inuse_spice' but alloc_objects, .*; did you mean 'inuse_space'"
    ):
        heap.index("inuse_spice")
    with pytest.raises(ProfileError, match=r"no sample types"):
        Profile().index()
