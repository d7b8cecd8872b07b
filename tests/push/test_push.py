"""Pushing to Pyroscope: a real HTTP server decodes what comes with werkzeug's own parsers, and the profile is the one that was sent."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
import uuid
from collections import UserDict

import pytest

from pyroscope_stub import Pyroscope, form
from runtime_exporter.errors import ConfigError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import KINDS as PROFILE_KINDS
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.push import Push, push_of
from runtime_exporter.push.post import RefusedError, UnavailableError
from runtime_exporter.push.push import THREAD_NAME
from runtime_exporter.push.pyroscope import KINDS
from runtime_exporter.settings import load
from tools import free_port, wait_for

BEGIN, SECONDS = 1_790_000_000.25, 10.0


@pytest.fixture
def pyroscope():
    server = Pyroscope()
    yield server
    server.close()


@pytest.fixture
def pushing():
    """Make a started Push of some settings, which is closed after the test."""
    made = []

    def make(pyroscope, **settings):
        given = {"pyroscope_application": "shop", "profiling": True, "pyroscope_url": pyroscope.url, **settings}
        push = push_of(load(given, {}), host="web-1")
        made.append(push)
        push.start()
        return push

    yield make
    for push in made:
        push.close()


def profile(kind="cpu", count=3):
    types = PROFILE_KINDS[kind][0]
    stacks = [
        (
            (Frame(f"shop:leaf_{number}", "shop.py", number), Frame("shop:main", "shop.py", 99)),
            (number,) * len(types),
            (),
        )
        for number in range(1, count + 1)
    ]
    return build(kind, stacks, time_nanos=int(BEGIN * 1e9), duration_nanos=int(SECONDS * 1e9))


def totals(push):
    return {labels[0]: child.value() for labels, child in push.families[0].family.children.items()}


def sent_by(pyroscope, count=1):
    wait_for(lambda: len(pyroscope.got) >= count, what="a push")
    return pyroscope.got


class TestIngest:
    def test_the_form_holds_the_same_profile(self, pyroscope, pushing):
        pushing(pyroscope).offer(profile(), "cpu", {"version": "1.4"})
        (got,) = sent_by(pyroscope)
        fields, files = form(got)
        assert {} == fields
        assert {"profile", "sample_type_config"} == files.keys()
        assert profile() == pprof.decode(files["profile"])

    def test_the_query_names_the_application_with_its_labels_and_the_whole_interval(self, pyroscope, pushing):
        pushing(pyroscope).offer(profile(), "cpu", {"version": "1.4", "a-b": "x{y}=z, w", "none": ""})
        (got,) = sent_by(pyroscope)
        assert "/ingest" == got.path
        assert {
            "name": ["shop{a_b=x_y_z_w,hostname=web-1,version=1.4}"],
            "from": ["1790000000"],
            "until": ["1790000011"],
            "spyName": ["runtime-exporter"],
        } == got.query

    @pytest.mark.parametrize("kind", sorted(KINDS))
    def test_every_sample_type_is_described_and_none_is_cumulative(self, pyroscope, pushing, kind):
        pushing(pyroscope).offer(profile(kind), kind, {})
        (got,) = sent_by(pyroscope)
        _, files = form(got)
        config = json.loads(files["sample_type_config"])
        assert {kind.type for kind in pprof.decode(files["profile"]).sample_types} == config.keys()
        assert {False} == {about["cumulative"] for about in config.values()}

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("cpu", "process_cpu"),
            ("wall", "wall"),
            ("block", "block"),
            ("mutex", "mutex"),
            ("heap", "memory"),
            ("goroutine", "goroutines"),
        ],
    )
    def test_the_server_gives_each_kind_its_own_name(self, pyroscope, pushing, kind, name):
        pushing(pyroscope).offer(profile(kind), kind, {})
        (got,) = sent_by(pyroscope)
        _, files = form(got)
        types = [value_type.type for value_type in pprof.decode(files["profile"]).sample_types]
        assert name == name_at_the_server(types, json.loads(files["sample_type_config"]))


def name_at_the_server(sample_types, config):
    """Name a profile of /ingest by the rules of the server (RawProfile.metricName in pkg/og/convert/pprof/profile.go)."""
    if "wall" in sample_types:
        return "wall"
    parts = (("cpu", "process_cpu"), ("alloc_", "memory"), ("mutex_", "mutex"), ("block_", "block"))
    for sample_type in sample_types:
        shown = config[sample_type].get("display-name") or sample_type
        for part, name in (*parts, ("goroutines", "goroutines")):
            if part in shown:
                return name
    return sample_types[-1]


class TestPushService:
    def test_the_json_holds_the_same_profile(self, pyroscope, pushing):
        pushing(pyroscope, pyroscope_api="push").offer(profile("block"), "block", {"version": "1.4"})
        (got,) = sent_by(pyroscope)
        assert "/push.v1.PusherService/Push" == got.path
        assert "application/json" == got.headers["Content-Type"]
        (series,) = json.loads(got.body)["series"]
        (sample,) = series["samples"]
        assert profile("block") == pprof.decode(base64.b64decode(sample["rawProfile"], validate=True))
        assert 4 == uuid.UUID(sample["ID"]).version
        assert {
            "__name__": "block",
            "__delta__": "false",
            "service_name": "shop",
            "pyroscope_spy": "runtime-exporter",
            "hostname": "web-1",
            "version": "1.4",
        } == {label["name"]: label["value"] for label in series["labels"]}

    def test_every_profile_has_an_id_of_its_own(self, pyroscope, pushing):
        push = pushing(pyroscope, pyroscope_api="push")
        push.offer(profile(), "cpu", {})
        push.offer(profile("wall"), "wall", {})
        ids = {json.loads(got.body)["series"][0]["samples"][0]["ID"] for got in sent_by(pyroscope, 2)}
        assert 2 == len(ids)


class TestWhoWeAre:
    def test_a_user_and_the_password_of_a_file(self, pyroscope, pushing, tmp_path):
        (tmp_path / "password").write_text("s3cret ü\n")
        push = pushing(pyroscope, pyroscope_user="me", pyroscope_password_file=str(tmp_path / "password"))
        push.offer(profile(), "cpu", {})
        (got,) = sent_by(pyroscope)
        assert "me:s3cret ü" == base64.b64decode(got.headers["Authorization"].removeprefix("Basic ")).decode()

    def test_a_token_is_read_anew_each_time(self, pyroscope, pushing, tmp_path):
        token = tmp_path / "token"
        token.write_text("one")
        push = pushing(pyroscope, pyroscope_token_file=str(token), pyroscope_tenant="team-a")
        push.offer(profile(), "cpu", {})
        sent_by(pyroscope)
        token.write_text("two")
        push.offer(profile(), "cpu", {})
        first, second = sent_by(pyroscope, 2)
        assert ("Bearer one", "Bearer two") == (first.headers["Authorization"], second.headers["Authorization"])
        assert "team-a" == second.headers["X-Scope-Orgid"]

    @pytest.mark.parametrize(
        ("content", "why"),
        [(None, "cannot be read: No such file"), (b"", "one line"), (b"a\nb", "one line"), (b"\xff", "is no text")],
    )
    def test_a_file_that_is_of_no_use_is_refused_at_the_start(self, pyroscope, pushing, tmp_path, content, why):
        if content is not None:
            (tmp_path / "token").write_bytes(content)
        with pytest.raises(ConfigError, match=why):
            pushing(pyroscope, pyroscope_token_file=str(tmp_path / "token"))

    def test_a_redirect_does_not_carry_the_token_elsewhere(self, pyroscope, pushing, tmp_path):
        (tmp_path / "token").write_text("one")
        elsewhere = Pyroscope()
        pyroscope.answers = [(307, {"Location": f"{elsewhere.url}/ingest"})]
        push = pushing(pyroscope, pyroscope_token_file=str(tmp_path / "token"))
        push.offer(profile(), "cpu", {})
        wait_for(lambda: totals(push)["failed"], what="giving up")
        elsewhere.close()
        assert [] == elsewhere.got


class TestWhenItFails:
    def test_a_server_that_is_busy_is_asked_again(self, pyroscope):
        push = started(pyroscope, pause=lambda _: 0.0)
        pyroscope.answers = [(503, {}), (429, {"Retry-After": "0"}), (500, {})]
        push.offer(profile(), "cpu", {})
        sent_by(pyroscope, 4)
        push.close()
        assert {"sent": 1, "failed": 0, "dropped": 0} == totals(push)
        assert 4 == len(pyroscope.got)

    def test_the_pauses_grow_and_a_server_may_ask_for_longer_ones(self, pyroscope, monkeypatch):
        push = push_of(load(SETTINGS | {"pyroscope_url": pyroscope.url}, {}))
        rests = []
        monkeypatch.setattr(push, "_rest", lambda seconds, _: rests.append(seconds))
        push.start()
        pyroscope.answers = [(503, {}), (503, {"Retry-After": "7"}), (503, {"Retry-After": "86400"}), (503, {})]
        push.offer(profile(), "cpu", {})
        wait_for(lambda: totals(push)["sent"], what="the last attempt")
        push.close()
        assert 0.5 <= rests[0] <= 1.0
        assert 7.0 == rests[1]
        assert 300.0 == rests[2]
        assert 4.0 <= rests[3] <= 8.0

    def test_what_the_server_refuses_is_not_sent_again(self, pyroscope, pushing, caplog):
        pyroscope.answers = [(422, {})]
        push = pushing(pyroscope)
        with caplog.at_level(logging.INFO, "runtime_exporter"):
            push.offer(profile(), "cpu", {})
            wait_for(lambda: totals(push)["failed"], what="the refusal")
            push.offer(profile(), "cpu", {})
            wait_for(lambda: totals(push)["sent"], what="the next one")
            wait_for(lambda: len(caplog.messages) > 1, what="both lines")
        assert [
            "profiles are not pushed: the server says 422 because of 422",
            "profiles are pushed again",
        ] == caplog.messages

    def test_it_is_given_up_after_some_attempts(self, pyroscope):
        push = started(pyroscope, pause=lambda _: 0.0)
        pyroscope.answers = [(503, {})] * 6
        push.offer(profile(), "cpu", {})
        wait_for(lambda: totals(push)["failed"], what="giving up")
        push.close()
        assert 6 == len(pyroscope.got)
        assert {"sent": 0, "failed": 1, "dropped": 0} == totals(push)

    def test_nobody_there_is_one_line_however_often(self, caplog):
        push = push_of(load(SETTINGS | {"pyroscope_url": f"http://127.0.0.1:{free_port()}"}, {}))
        push._pause = lambda _: 0.0
        push.start()
        with caplog.at_level(logging.INFO, "runtime_exporter"):
            for _ in range(3):
                push.offer(profile(), "cpu", {})
            wait_for(lambda: totals(push)["failed"] == 3, what="giving up")
        push.close()
        assert ["profiles are not pushed: the server cannot be asked: Connection refused"] == caplog.messages


SETTINGS = {"pyroscope_application": "shop", "profiling": True}


def started(pyroscope, **options):
    push = push_of(load(SETTINGS | {"pyroscope_url": pyroscope.url}, {}))
    for name, value in options.items():
        setattr(push, f"_{name}", value)
    push.start()
    return push


class TestNeverInTheWay:
    def test_a_full_queue_drops_the_oldest(self):
        sending, go_on, sent = threading.Event(), threading.Event(), []

        def send(item):
            sending.set()
            go_on.wait()
            sent.append(item.kind)

        push = Push(send, length=2)
        push.start()
        push.offer(profile(), "cpu", {})
        assert sending.wait(10)
        for kind in ("heap", "wall", "block"):
            push.offer(profile(kind), kind, {})
        assert {"sent": 0, "failed": 0, "dropped": 1} == totals(push)
        go_on.set()
        push.close(patience=10)
        assert ["cpu", "wall", "block"] == sent

    def test_close_sends_what_waits_and_waits_no_longer_than_it_is_told(self):
        sending, stuck = threading.Event(), threading.Event()
        push = Push(lambda _: sending.set() or stuck.wait())
        push.start()
        push.offer(profile(), "cpu", {})
        assert sending.wait(10)
        push.offer(profile("wall"), "wall", {})
        push.close(patience=0.05)
        push.close(patience=0.05)
        assert 1 == totals(push)["dropped"]
        stuck.set()

    def test_after_close_nothing_is_tried_again(self):
        tried = []

        def send(item):
            tried.append(item)
            raise UnavailableError("busy")

        push = Push(send, pause=lambda _: 3600.0)
        push.start()
        push.offer(profile(), "cpu", {})
        wait_for(lambda: tried, what="the first attempt")
        push.close(patience=10)
        assert {"sent": 0, "failed": 1, "dropped": 0} == totals(push)

    def test_there_is_no_thread_before_the_first_profile_and_none_after_close(self):
        before = set(threading.enumerate())
        push = Push(lambda _: None)
        push.start()
        assert [] == ours(before)
        push.offer(profile(), "cpu", {})
        assert [THREAD_NAME] == ours(before)
        push.close(patience=10)
        wait_for(lambda: not ours(before), what="the end of the thread")

    def test_a_failure_that_nobody_thought_of_does_not_end_the_thread(self, caplog):
        failures = [ZeroDivisionError("why"), RefusedError("no")]

        def send(_):
            if failures:
                raise failures.pop(0)

        push = Push(send)
        push.start()
        for _ in range(3):
            push.offer(profile(), "cpu", {})
        push.close(patience=10)
        assert {"sent": 1, "failed": 2, "dropped": 0} == totals(push)
        assert "profiles are not pushed: ZeroDivisionError: why" == caplog.messages[0]

    def test_a_child_sends_its_own_profiles_only(self, pyroscope):
        script = f"""
import os, threading
from runtime_exporter.push import push_of
from runtime_exporter.settings import load
from runtime_exporter.profiling.profile import Frame, build

def profile(kind):
    return build(kind, [((Frame("shop:main"),), (1, 1), ())], time_nanos=1)

push = push_of(load(dict(pyroscope_url="{pyroscope.url}", pyroscope_application="shop", pyroscope_api="push", profiling=True), {{}}))
push.start()
sends, go_on = push._send, threading.Event()
push._send = lambda item: go_on.wait() and sends(item)
push.offer(profile("wall"), "wall", {{}})
push.offer(profile("block"), "block", {{}})
child = os.fork()
if not child:
    push.forked()
    push._send = sends
    push.offer(profile("cpu"), "cpu", {{}})
    push.close(patience=20)
    os._exit(0)
os.waitpid(child, 0)
go_on.set()
push.close(patience=20)
"""
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
        names = [
            label["value"]
            for got in pyroscope.got
            for label in json.loads(got.body)["series"][0]["labels"]
            if label["name"] == "__name__"
        ]
        assert ["process_cpu", "wall", "block"] == names

    @pytest.mark.parametrize(
        ("kind", "made"), [("threads", profile("threads")), ("cpu", profile(count=0))], ids=["no name", "empty"]
    )
    def test_what_the_server_could_not_show_is_not_sent(self, kind, made):
        sent = []
        push = Push(sent.append)
        push.start()
        push.offer(made, kind, {})
        push.close(patience=10)
        assert [] == sent

    def test_switched_off_it_does_nothing_and_has_no_series(self):
        push = push_of(load({}, {}))
        push.start()
        push.offer(profile(), "cpu", {})
        push.close()
        assert False is push.enabled
        assert {} == totals(push)


def ours(before):
    return [thread.name for thread in threading.enumerate() if thread not in before and thread.name == THREAD_NAME]


class TestSettings:
    @pytest.mark.parametrize(
        ("more", "wrong"),
        [
            ({"pyroscope_application": None}, "pyroscope_application"),
            ({"profiling": False}, "profiling"),
            ({"pyroscope_user": "me"}, "pyroscope_user"),
            ({"pyroscope_password_file": "/p"}, "pyroscope_user"),
            (
                {"pyroscope_user": "me", "pyroscope_password_file": "/p", "pyroscope_token_file": "/t"},
                "pyroscope_token_file",
            ),
        ],
    )
    def test_what_does_not_go_together_is_refused_before_anything_starts(self, more, wrong):
        with pytest.raises(ConfigError) as caught:
            push_of(load({**SETTINGS, "pyroscope_url": "http://localhost:4040", **more}, {}))
        assert wrong == caught.value.setting
        assert "\n" not in str(caught.value)


def test_a_profile_that_comes_while_it_is_closed_begins_nothing():
    class Labels(UserDict):
        """Labels in the middle of whose copying another thread closes the push."""

        def keys(self):
            push.close()
            return super().keys()

    push = Push(lambda _: None)
    push.start()
    before = set(threading.enumerate())
    push.offer(profile(), "cpu", Labels(version="1"))

    assert set() == {one for one in set(threading.enumerate()) - before if one.name == THREAD_NAME}
