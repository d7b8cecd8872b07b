"""The exporter as a user meets it: started in a process, asked over HTTP, closed again."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import prometheus_client as peer
import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import runtime_exporter
from runtime_exporter import AlreadyStartedError, ConfigError, Exporter, metrics
from runtime_exporter.collectors.exporter import series_in
from runtime_exporter.http import HTTPMetrics, compiled
from runtime_exporter.settings import Settings
from tools import free_port, require, wait_for


@pytest.fixture
def registry():
    return metrics.CollectorRegistry()


@pytest.fixture
def exporter(registry):
    """A started exporter with a registry and HTTP metrics of its own."""
    with Exporter(Settings(port=0, profiling=False), registry=registry, http=HTTPMetrics()).start() as started:
        yield started


def get(exporter, path="/metrics", **headers):
    return requests.get(exporter.url + path, headers=headers, timeout=10)


def samples(text, parse=parse_text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def python(code, *, env=None, timeout=60):
    """Run code in a fresh interpreter with no settings of ours in its environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RUNTIME_EXPORTER_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={**environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_three_lines_are_enough():
    done = python(
        """
        import runtime_exporter, urllib.request
        handle = runtime_exporter.start(port=0)
        text = urllib.request.urlopen(handle.url + "/metrics", timeout=10).read().decode()
        print(sum(line.startswith("process_") for line in text.splitlines()) > 20)
        """
    )
    assert ("True\n", 0) == (done.stdout, done.returncode), done.stderr


def test_what_the_application_registers_is_exposed_beside_ours(exporter, registry):
    peer.Counter("theirs", "T", registry=registry).inc(3)
    metrics.Counter("ours", "O", registry=registry).inc(4)
    found = samples(get(exporter).text)
    assert (3.0, 4.0) == (found["theirs_total", ()], found["ours_total", ()])


def test_a_family_that_the_peer_has_too_appears_once_and_is_ours(exporter, registry):
    peer.ProcessCollector(registry=registry)
    peer.GCCollector(registry=registry)
    peer.PlatformCollector(registry=registry)
    text = get(exporter).text
    for name in ("process_cpu_seconds_total", "python_gc_collections_total", "python_info"):
        assert 1 == text.count(f"# TYPE {name} "), name
    assert "python_gc_duration_seconds" in text


def test_both_formats_say_the_same(exporter):
    # All but what moves between two scrapes.
    steady = ("process_start_time_seconds", "python_info", "runtime_exporter_build_info", "python_gc_threshold")
    text = samples(get(exporter).text)
    answer = get(exporter, Accept="application/openmetrics-text; version=1.0.0")
    openmetrics = samples(answer.text, parse_openmetrics)
    assert "application/openmetrics-text; version=1.0.0; charset=utf-8" == answer.headers["Content-Type"]
    assert {key: value for key, value in text.items() if key[0] in steady} == {
        key: value for key, value in openmetrics.items() if key[0] in steady
    }
    assert {name for name, _ in text} - {"runtime_exporter_series"} <= {name for name, _ in openmetrics}


def test_a_scrape_says_which_requests_are_counted_by_compiled_code(exporter):
    found = samples(get(exporter).text)
    said = {labels: value for (name, labels), value in found.items() if name == "runtime_exporter_compiled"}
    assert said == {
        (("interface", "asgi"),): float(compiled.asgi is not None),
        (("interface", "wsgi"),): float(compiled.wsgi is not None),
    }


def test_promtool_finds_nothing_to_say_about_a_live_scrape(exporter):
    get(exporter)  # the second scrape has what the first one left
    checked = subprocess.run(
        [require("promtool", package="prometheus"), "check", "metrics"],
        input=get(exporter).content,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (0, b"", b"") == (checked.returncode, checked.stdout, checked.stderr)


@pytest.mark.parametrize("value", ['q"uote', "new\nline", "back\\slash", "😀", "x" * 10_000, "\ud800"])
def test_hostile_label_values_leave_the_scrape_valid(exporter, registry, value):
    metrics.Counter("c", "C", ["v"], registry=registry).labels(value).inc()
    found = [value for (name, _), value in samples(get(exporter).text).items() if name == "c_total"]
    assert [1.0] == found


def test_not_a_number_and_infinities_leave_the_scrape_valid(exporter, registry):
    gauge = metrics.Gauge("g", "G", ["v"], registry=registry)
    for value in (float("nan"), float("inf"), float("-inf")):
        gauge.labels(str(value)).set(value)
    found = samples(get(exporter).text)
    assert (float("inf"), float("-inf")) == (found["g", (("v", "inf"),)], found["g", (("v", "-inf"),)])


def test_a_collector_of_the_application_that_raises_costs_only_itself(exporter, registry):
    class Broken:
        def collect(self):
            raise RuntimeError

    registry.register(Broken())
    assert ("process_cpu_seconds_total", ()) in samples(get(exporter).text)


def test_a_hundred_scrapes_at_once_are_all_valid(exporter):
    with ThreadPoolExecutor(20) as pool:
        texts = list(pool.map(lambda _: get(exporter).text, range(100)))
    assert {True} == {("process_cpu_seconds_total", ()) in samples(text) for text in texts}


def test_the_exporter_counts_its_scrapes_and_series(exporter):
    before = get(exporter).text
    found = samples(get(exporter).text)
    assert 1.0 == found["runtime_exporter_scrape_duration_seconds_count", ()]
    assert len(samples(before)) == found["runtime_exporter_series", ()]
    assert 1.0 == found["runtime_exporter_workers", (("state", "live"),)]


def test_samples_are_counted_without_the_comments():
    assert 2 == series_in(b"# HELP a A\n# TYPE a gauge\na 1\n# TYPE b gauge\nb 2\n")
    assert 0 == series_in(b"")
    assert 1 == series_in(b"a 1\n# EOF\n")


def test_names_restrict_the_scrape(exporter):
    text = requests.get(
        exporter.url + "/metrics", params={"name[]": ["process_open_fds", "python_info"]}, timeout=10
    ).text
    assert {"process_open_fds", "python_info"} == {name for name, _ in samples(text)}


def test_health_is_told_by_named_checks(exporter):
    exporter.health.add("database", lambda: ("degraded", "slow"))
    assert (200, "degraded") == (get(exporter, "/health").status_code, get(exporter, "/health").json()["status"])
    exporter.health.add("queue", lambda: False)
    assert 503 == get(exporter, "/health").status_code
    assert 503 == get(exporter, "/-/ready").status_code
    assert 200 == get(exporter, "/-/healthy").status_code


def test_a_second_start_is_refused_and_says_where_the_first_one_is():
    with runtime_exporter.start(port=0) as first, pytest.raises(AlreadyStartedError, match=first.url):
        runtime_exporter.start(port=0)
    with runtime_exporter.start(port=0) as second:
        assert 200 == get(second).status_code


def test_a_port_in_use_is_named_and_leaves_nothing_behind(exporter):
    port = int(exporter.url.rsplit(":", 1)[1])
    threads = set(threading.enumerate())
    exporter.close()
    with Exporter(Settings(port=port), registry=metrics.CollectorRegistry(), http=HTTPMetrics()).start():
        done = python(f"import runtime_exporter; runtime_exporter.start(port={port})")
        assert "port" in done.stderr
        assert str(port) in done.stderr
    assert set() == set(threading.enumerate()) - threads


def test_a_start_that_failed_can_be_tried_again():
    with pytest.raises(ConfigError, match="not-there"):
        runtime_exporter.start(port=0, web_config_file="/not-there/web.yml")
    with runtime_exporter.start(port=0) as handle:
        assert 200 == get(handle).status_code


def test_an_unknown_collector_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="'process'"):
        runtime_exporter.start(port=0, collectors="proces")


def test_a_collector_can_be_left_out():
    with runtime_exporter.start(port=0, collectors="-gc") as handle:
        text = get(handle).text
    assert "python_gc_duration_seconds" not in text
    assert "process_open_fds" in text


def test_disabled_means_that_nothing_happens():
    threads = set(threading.enumerate())
    with runtime_exporter.start(disabled=True) as handle:
        assert ("", set()) == (handle.url, set(threading.enumerate()) - threads)
    handle.close()


def test_close_gives_everything_back_and_may_be_called_twice():
    threads, hooks = set(threading.enumerate()), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    callbacks = [*gc.callbacks]
    handle = runtime_exporter.start(port=0)
    url = handle.url
    assert 200 == get(handle).status_code
    handle.close()
    handle.close()
    assert "" == handle.url
    assert hooks == (sys.excepthook, threading.excepthook, sys.unraisablehook)
    assert callbacks == gc.callbacks
    wait_for(lambda: set(threading.enumerate()) <= threads, what="the end of our threads")
    with pytest.raises(requests.ConnectionError):
        requests.get(url + "/metrics", timeout=2)


def test_constructing_an_exporter_touches_nothing():
    threads, callbacks = set(threading.enumerate()), [*gc.callbacks]
    unused = Exporter(Settings(port=free_port()), http=HTTPMetrics())
    assert ("", set(), callbacks) == (unused.url, set(threading.enumerate()) - threads, gc.callbacks)
    assert 40 < len(unused.families())


def test_the_application_of_the_exporter_can_be_mounted_in_another_server():
    body = b"".join(
        Exporter(Settings(profiling=False), registry=metrics.CollectorRegistry(), http=HTTPMetrics()).wsgi_app(
            {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "SCRIPT_NAME": "", "QUERY_STRING": ""},
            lambda *_: lambda _: None,
        )
    )
    assert ("process_cpu_seconds_total", ()) in samples(body.decode())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_may_start_an_exporter_of_its_own_and_does_not_disturb_its_parents():
    done = python(
        """
        import os, sys, urllib.request, warnings
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # Python 3.12 on fork with threads
        import runtime_exporter
        parent = runtime_exporter.start(port=0)
        url = parent.url
        pid = os.fork()
        if pid == 0:
            child = runtime_exporter.start(port=0)
            text = urllib.request.urlopen(child.url + "/metrics", timeout=10).read()
            child.close()
            sys.exit(0 if b"process_open_fds" in text and child.url != url else 3)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(status, urllib.request.urlopen(url + "/metrics", timeout=10).status)
        """
    )
    assert ("0 200\n", 0) == (done.stdout, done.returncode), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_forked_while_other_threads_held_our_locks_ends_as_it_should():
    done = python(
        """
        import contextlib, os, sys, threading, warnings
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # Python 3.12 on fork with threads
        import runtime_exporter
        from runtime_exporter import exporter
        from runtime_exporter.http import default_metrics, metrics
        handle = runtime_exporter.start(port=0, log_level="error")
        locks = (handle._lock, handle._server._lock, exporter.STARTED.lock, default_metrics()._lock, metrics._Default.lock)
        held, forked = threading.Event(), threading.Event()
        def hold():
            with contextlib.ExitStack() as stack:
                for lock in locks:
                    stack.enter_context(lock)
                held.set()
                forked.wait()
        threading.Thread(target=hold).start()
        held.wait()
        pid = os.fork()
        if pid == 0:
            handle.close()
            default_metrics().on_loop(print)
            sys.exit(7)  # atexit runs here, as in a worker that a preforking server made
        forked.set()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """
    )
    assert ("7\n", 0) == (done.stdout, done.returncode), done.stderr


def test_a_signal_handler_that_closes_what_is_being_started_leaves_it_closed():
    done = python(
        """
        import os, signal, threading
        from runtime_exporter import Exporter
        from runtime_exporter.settings import Settings
        exporter = Exporter(Settings(port=0, profiling=False, log_level="error"))
        signal.signal(signal.SIGTERM, lambda *_: exporter.close())
        install = exporter._supervisor.start
        def interrupted():
            os.kill(os.getpid(), signal.SIGTERM)
            install()
        exporter._supervisor.start = interrupted
        exporter.start()
        print(repr(exporter.url), [thread.name for thread in threading.enumerate()])
        """
    )
    assert ("'' ['MainThread']\n", 0) == (done.stdout, done.returncode), done.stderr


def test_a_start_that_is_interrupted_takes_everything_back(registry):
    interrupted = Exporter(Settings(port=0, profiling=False), registry=registry, http=HTTPMetrics())
    threads, callbacks = set(threading.enumerate()), [*gc.callbacks]

    def interrupt():
        raise KeyboardInterrupt

    interrupted._supervisor._background.start = interrupt
    with pytest.raises(KeyboardInterrupt):
        interrupted.start()

    assert ("", callbacks) == (interrupted.url, gc.callbacks)
    wait_for(lambda: set(threading.enumerate()) <= threads, what="the end of our threads")
    with Exporter(Settings(port=0, profiling=False), registry=registry, http=HTTPMetrics()).start() as another:
        assert 200 == get(another).status_code


@pytest.mark.parametrize("thread", ["runtime-exporter-web", "runtime-exporter-collectors"])
def test_a_start_for_which_the_system_has_no_thread_leaves_nothing_behind(registry, monkeypatch, thread):
    start, port = threading.Thread.start, free_port()

    def refuse(self):
        if self.name == thread:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Exporter(Settings(port=port), registry=registry, http=HTTPMetrics()).start()
    monkeypatch.undo()
    with Exporter(Settings(port=port), registry=registry, http=HTTPMetrics()).start() as another:
        assert 200 == get(another).status_code


def test_exporters_that_were_closed_are_not_kept_by_the_metrics_that_outlive_them(registry):
    http = HTTPMetrics()
    closed = Exporter(Settings(port=0, profiling=False), registry=registry, http=http).start()
    closed.close()
    gone = weakref.ref(closed._supervisor.collectors["asyncio"])
    del closed
    gc.collect()
    assert None is gone()


def test_a_web_configuration_that_is_missing_is_named_with_where_its_path_came_from(monkeypatch, tmp_path):
    monkeypatch.setenv("RUNTIME_EXPORTER_WEB_CONFIG_FILE", str(tmp_path / "missing.yml"))
    with pytest.raises(ConfigError, match="environment RUNTIME_EXPORTER_WEB_CONFIG"):
        runtime_exporter.start(port=0)


def test_a_program_that_ends_without_close_ends_at_once_and_silently():
    done = python("import runtime_exporter; runtime_exporter.start(port=0, log_level='error')")
    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)


def test_settings_come_from_the_environment_when_no_argument_is_given():
    port = free_port()
    done = python(
        "import runtime_exporter; print(runtime_exporter.start().url)", env={"RUNTIME_EXPORTER_PORT": str(port)}
    )
    assert f"http://127.0.0.1:{port}\n" == done.stdout


def test_a_signal_that_the_program_blocks_is_not_taken_by_our_threads():
    done = python(
        """
        import os, signal, time, urllib.request, runtime_exporter
        handle = runtime_exporter.start(port=0, log_level="error")
        urllib.request.urlopen(handle.url + "/metrics", timeout=10).read()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.3)
        print(signal.SIGTERM in signal.sigpending(), flush=True)
        os._exit(0)
        """
    )
    assert ("True\n", 0) == (done.stdout, done.returncode), done.stderr


def test_a_health_check_may_start_processes_that_can_be_ended(exporter):
    masks = []
    exporter.health.add("mask", lambda: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    get(exporter, "/health")
    assert [set()] == masks
