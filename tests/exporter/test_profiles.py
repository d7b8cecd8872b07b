"""Profiles of a real process, asked for over HTTP by the tools that people use."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import bcrypt
import pytest
import requests

from busy_service import busy_service
from go_tools import require_go
from runtime_exporter import Exporter
from runtime_exporter.http import HTTPMetrics
from runtime_exporter.metrics import CollectorRegistry
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import frames
from runtime_exporter.settings import Settings
from tools import wait_for

PATHS = ["/debug/pprof/", "/debug/pprof/goroutine", "/debug/pprof/cmdline", "/debug/pprof/symbol"]

PATIENCE = "-timeout=60"
"""Else `go tool pprof` waits for half as long again as the profile takes: of one second half a second, whatever else the machine does."""


@pytest.fixture
def start():
    """Start exporters with settings, closed with the test."""
    started = []

    def begin(**settings):
        exporter = Exporter(Settings(port=0, **settings), registry=CollectorRegistry(), http=HTTPMetrics()).start()
        started.append(exporter)
        return exporter

    yield begin
    for exporter in started:
        exporter.close()


def get(exporter, path, **options):
    return requests.get(exporter.url + path, timeout=30, **options)


def test_threads_of_this_process_are_served_and_linked(start):
    exporter = start()
    profile = pprof.decode(get(exporter, "/debug/pprof/goroutine").content)

    assert any(label.str == "MainThread" for sample in profile.samples for label in sample.labels)
    assert 'href="/debug/pprof"' in get(exporter, "/").text
    assert {200} == {get(exporter, path).status_code for path in PATHS}


@pytest.mark.parametrize("closed", [{"profile_endpoints": False}, {"debug_endpoints": False}])
def test_profiles_can_be_closed_apart_from_the_metrics(start, closed):
    exporter = start(**closed)

    assert {404} == {get(exporter, path).status_code for path in [*PATHS, "/api/v1/profiles"]}
    assert "/debug/pprof" not in get(exporter, "/").text
    assert 200 == get(exporter, "/metrics").status_code


def test_profiles_are_behind_the_door_of_the_metrics(start, tmp_path):
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    web.write_text(f"basic_auth_users:\n  ops: {hashed}\n")
    exporter = start(web_config_file=str(web))

    assert {401} == {get(exporter, path).status_code for path in [*PATHS, "/metrics", "/api/v1/profiles"]}
    assert {200} == {get(exporter, path, auth=("ops", "correct horse")).status_code for path in PATHS}


@pytest.fixture(scope="module")
def service():
    """A service that burns CPU in burns_cpu_here()."""
    with busy_service(profile_seconds_limit=90, profiling="false") as running:
        yield running


def test_go_tool_pprof_names_the_busy_function_of_a_python_process(service):
    url = f"{service.url}/debug/pprof/profile?seconds=3"
    top = require_go().run("tool", "pprof", PATIENCE, "-top", url)[0].splitlines()

    assert "Type: cpu" in top
    (header,) = (number for number, line in enumerate(top) if line.split()[:2] == ["flat", "flat%"])
    assert "__main__:burns_cpu_here" == top[header + 1].split()[-1], top


def test_go_tool_pprof_reads_the_threads_of_a_python_process(service):
    text = require_go().run("tool", "pprof", "-traces", f"{service.url}/debug/pprof/goroutine")[0]

    assert "Type: goroutine" in text
    assert "__main__:burns_cpu_here" in text
    assert "MainThread" in text


def test_wall_time_shows_threads_that_wait(service):
    profile = pprof.decode(get(service, "/debug/pprof/wall?seconds=1").content)

    assert "wall" == profile.sample_types[-1].type
    names = {frame.name for sample in profile.samples for frame in frames(sample)}
    assert "__main__:burns_cpu_here" in names


def test_a_real_profiler_takes_one_profile_at_a_time(service):
    with ThreadPoolExecutor(2) as pool:
        answers = [*pool.map(lambda _: get(service, "/debug/pprof/profile?seconds=3"), range(2))]
    taken, refused = sorted(answers, key=lambda answer: answer.status_code)

    assert (200, 500) == (taken.status_code, refused.status_code)
    assert "Could not enable CPU profiling: cpu profiling already in use\n" == refused.text
    assert 200 == get(service, "/debug/pprof/profile?seconds=0.1").status_code


def test_more_seconds_than_the_setting_allows_are_refused_by_the_service(service):
    answer = get(service, "/debug/pprof/profile?seconds=91")

    assert (400, "1") == (answer.status_code, answer.headers["X-Go-Pprof"])
    assert "at most 90 (setting profile_seconds_limit)" in answer.text


def test_a_profile_that_is_taken_while_the_exporter_closes_ends_with_it(start):
    exporter = start(profiling=False)  # its sampler would be taken for the one of this request
    answers = []
    asking = threading.Thread(target=lambda: answers.append(get(exporter, "/debug/pprof/wall?seconds=100")))
    asking.start()
    wait_for(
        lambda: any(thread.name == "runtime-exporter-sampler" for thread in threading.enumerate()),
        what="the profile to begin",
    )
    exporter.close()
    asking.join(20)

    (answer,) = answers
    assert pprof.decode(answer.content).duration_nanos < 90 * 10**9
    assert [] == [thread.name for thread in threading.enumerate() if thread.name.startswith("runtime-exporter")]


def test_what_was_asked_for_is_kept_where_the_setting_says_and_listed(start, tmp_path):
    exporter = start(profile_directory=str(tmp_path / "profiles"))
    taken = get(exporter, "/debug/pprof/wall?seconds=0.2").content
    (row,) = get(exporter, "/api/v1/profiles").json()["profiles"]

    assert ("wall", True) == (row["kind"], row["on_demand"])
    assert taken == get(exporter, row["url"]).content
    assert [row["id"]] == [path.name for path in (tmp_path / "profiles").glob("*.pb.gz")]


CONTENDED = """
import socket, threading, time
import runtime_exporter

exporter = runtime_exporter.start(port=0)
lock = threading.Lock()
kept = []

def holds_the_lock():
    with lock:
        time.sleep(0.02)

def reads_what_never_comes(receiver):
    receiver.recv(1)

def works():
    while True:
        holds_the_lock()
        kept.append(bytearray(20_000))

for number in range(3):
    threading.Thread(target=works, name=f"worker-{number}", daemon=True).start()
sender, receiver = socket.socketpair()
threading.Thread(target=reads_what_never_comes, args=(receiver,), daemon=True).start()
print(exporter.url, flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def contended(tmp_path_factory):
    """A service whose threads wait for each other, with everything switched on."""
    directory = tmp_path_factory.mktemp("contended")
    (directory / "contended.py").write_text(CONTENDED)
    settings = {"profile_locks": "true", "profile_heap": "true", "profiling": "true", "profile_interval": "1.2"}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RUNTIME_EXPORTER_")}
    environ |= {f"RUNTIME_EXPORTER_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, str(directory / "contended.py")]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield SimpleNamespace(url=process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("path", "kind", "function"),
    [
        ("block", "delay", "__main__:holds_the_lock"),
        ("block?seconds=1", "delay", "__main__:holds_the_lock"),
        ("block", "delay", "__main__:reads_what_never_comes"),
        ("block?seconds=1", "delay", "__main__:reads_what_never_comes"),
        ("mutex", "delay", "__main__:holds_the_lock"),
        ("heap", "inuse_space", "__main__:works"),
        ("heap?seconds=1", "inuse_space", "__main__:works"),
        ("allocs", "inuse_space", "__main__:works"),
        ("threadcreate", "threadcreate", "__main__:works"),
    ],
)
def test_go_tool_pprof_reads_what_is_switched_on(contended, path, kind, function):
    for waits in ("holds_the_lock", "reads_what_never_comes"):  # the latter from the end of the first interval on
        wait_for(
            lambda waits=waits: waits in get(contended, "/debug/pprof/block?debug=1").text, what="threads that wait"
        )
    top = require_go().run("tool", "pprof", PATIENCE, "-top", "-cum", f"{contended.url}/debug/pprof/{path}")[0]

    assert f"Type: {kind}" in top
    assert function in top


def test_waits_and_memory_become_series(contended):
    def lines(family, *words):
        text = get(contended, "/metrics").text
        return [
            line for line in text.splitlines() if line.startswith(f"{family}{{") and all(word in line for word in words)
        ]

    def waits_are_shown():
        families = ("profile_wait_seconds_total", "profile_contentions_total")
        kinds = ("block", "mutex")
        return all(lines(family, f'profile="{kind}"', "holds_the_lock") for family in families for kind in kinds)

    wait_for(waits_are_shown, what="intervals with waits", seconds=60)
    # A member needs more than one window, and those of memory come as seldom as they are dear.
    assert lines("profile_inuse_bytes", 'profile="heap"')


def test_what_needs_a_setting_is_refused_with_its_name(service):
    refused = {name: get(service, f"/debug/pprof/{name}") for name in ("block", "mutex", "heap", "allocs")}

    assert {501} == {answer.status_code for answer in refused.values()}
    assert "the setting profiling " in refused["block"].text
    assert "profile_locks" in refused["block"].text
    assert "block?seconds=10" in refused["block"].text
    assert "profile_locks" in refused["mutex"].text
    assert "profile_heap" in refused["heap"].text
    assert "profile_heap" in refused["allocs"].text


def test_go_tool_pprof_reads_waits_of_a_service_in_which_nothing_is_switched_on(service):
    top = require_go().run("tool", "pprof", "-top", f"{service.url}/debug/pprof/block?seconds=0.5")[0]

    assert "Type: delay" in top


def test_a_profile_whose_client_leaves_ends_and_makes_room_for_the_next(service):
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(service.url + "/debug/pprof/profile?seconds=90", timeout=(30, 0.5))

    wait_for(lambda: get(service, "/debug/pprof/profile?seconds=0.1").status_code == 200, what="room for another")


FORKING = """
import os, threading, time
import runtime_exporter

settings = {"port": 0, "profiling": True, "profile_interval": 1.1, "profile_locks": True, "profile_heap": True, "log_level": "error"}

def work(lock):
    for _ in range(40):
        with lock:
            time.sleep(0.005)

def contend():
    lock = threading.Lock()
    threads = [threading.Thread(target=work, args=(lock,)) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

exporter = runtime_exporter.start(**settings)
contend()
before = exporter.profiling.on_demand.now("mutex").total(0)
assert before > 0
child = os.fork()
if child == 0:
    code = 1
    try:
        assert 0 == exporter.profiling.on_demand.now("block").total(0)
        exporter.close()
        exporter = runtime_exporter.start(**settings)
        contend()
        deadline = time.monotonic() + 30
        while not {"cpu", "block", "mutex", "heap"} <= exporter.profiling.report.tallies.keys():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert exporter.profiling.on_demand.now("block").total(0) > 0
        exporter.close()
        code = 0
    finally:
        os._exit(code)
assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert before == exporter.profiling.on_demand.now("mutex").total(0)
exporter.close()
print("done")
"""


def test_the_child_of_a_fork_profiles_itself_from_zero():
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=90, check=False)

    assert ("done\n", 0) == (done.stdout, done.returncode), done.stderr
