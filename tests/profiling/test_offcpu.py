"""Waits are told from where real threads really stand."""

from __future__ import annotations

import asyncio
import concurrent.futures
import fcntl
import linecache
import os
import queue
import select
import selectors
import socket
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from frame_names import last_part
from runtime_exporter.profiling.offcpu import by_kind, classify, contends, text_of
from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.pythonstack import python_stack
from tools import asleep


def stack_of(thread):
    return python_stack(sys._current_frames().get(thread.ident))


def standing(thread):
    """The stack of a thread once it is where it will stay."""
    before, deadline = (), time.monotonic() + 60
    while time.monotonic() < deadline:
        now = stack_of(thread)
        if now and now == before and asleep(thread.native_id):
            return now
        before = now
        time.sleep(0.05)
    raise AssertionError("the thread does not come to rest")


class Blocked:
    """What a thread can wait for, how to get it out of it again, and the function it stands in."""

    def __init__(self):
        self.lock, self.condition, self.event = threading.Lock(), threading.Condition(), threading.Event()
        self.queue, self.simple = queue.Queue(), queue.SimpleQueue()
        self.near, self.far = socket.socketpair()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.reading, self.writing = os.pipe()
        self.done = False

    def close(self):
        self.done = True
        if self.lock.locked():
            self.lock.release()
        with self.condition:
            self.condition.notify_all()
        self.event.set()
        self.queue.put(None)
        self.simple.put(None)
        self.far.send(b"x")
        os.write(self.writing, b"\n")
        with socket.create_connection(self.server.getsockname()):
            pass

    def free(self):
        for part in (self.near, self.far, self.server):
            part.close()
        os.close(self.reading)
        os.close(self.writing)

    def lock_acquire(self):
        self.lock.acquire()

    def lock_with(self):
        with self.lock:
            pass

    def condition_wait(self):
        with self.condition:
            self.condition.wait()

    def event_wait(self):
        self.event.wait()

    def queue_get(self):
        self.queue.get()

    def simple_queue_get(self):
        self.simple.get()

    def socket_recv(self):
        self.near.recv(1)

    def socket_accept(self):
        self.server.accept()[0].close()

    def socket_file(self):
        with self.near.makefile("rb") as file:
            file.read(1)

    def select_select(self):
        select.select([self.near], [], [])

    def epoll(self):
        with select.epoll() as poller:
            poller.register(self.near, select.EPOLLIN)
            poller.poll()

    def selector(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.near, selectors.EVENT_READ)
            selector.select()

    def pipe_read(self):
        os.read(self.reading, 1)

    def sleep(self):
        while not self.done:
            time.sleep(1)

    def subprocess_wait(self):
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=self.reading) as process:
            process.wait()

    def subprocess_output(self):
        subprocess.run([sys.executable, "-c", "input()"], stdin=self.reading, capture_output=True, check=True)

    def file_lock(self):
        with open(__file__) as file:
            while not self.done:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX)
                finally:
                    fcntl.flock(file, fcntl.LOCK_UN)


def in_a_request(function):
    """The function a few calls below that of the thread, as in a server."""

    def handle():
        function()

    def serve():
        handle()

    return serve


@pytest.fixture
def blocked():
    scene = Blocked()
    threads = []

    def run(function):
        thread = threading.Thread(target=function)
        threads.append(thread)
        thread.start()
        return standing(thread)

    yield scene, run
    scene.close()
    for thread in threads:
        thread.join(10)
    scene.free()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("lock", "lock_acquire"),
        ("lock", "lock_with"),
        ("lock", "condition_wait"),
        ("lock", "event_wait"),
        ("lock", "queue_get"),
        ("lock", "simple_queue_get"),
        ("socket", "socket_recv"),
        ("socket", "socket_accept"),
        ("socket", "socket_file"),
        ("socket", "select_select"),
        ("socket", "epoll"),
        ("socket", "selector"),
        ("file", "pipe_read"),
        ("sleep", "sleep"),
        ("subprocess", "subprocess_wait"),
        ("subprocess", "subprocess_output"),
    ],
)
def test_a_blocked_thread_is_told_by_what_it_waits_for(blocked, kind, name):
    scene, run = blocked
    if name.startswith("lock"):
        scene.lock.acquire()
    wait = classify(run(in_a_request(getattr(scene, name))))
    assert (kind, name) == (wait.kind, wait.site.name.rpartition(".")[2].rpartition(":")[2])


@pytest.mark.parametrize("name", ["condition_wait", "event_wait", "queue_get", "simple_queue_get"])
def test_a_thread_whose_function_waits_for_work_is_idle(blocked, name):
    scene, run = blocked
    assert "idle" == classify(run(getattr(scene, name))).kind


@pytest.mark.parametrize("name", ["lock_acquire", "lock_with"])
def test_a_thread_whose_function_waits_for_a_lock_is_not_idle(blocked, name):
    scene, run = blocked
    scene.lock.acquire()
    assert "lock" == classify(run(getattr(scene, name))).kind


def test_a_lock_of_a_file_is_a_lock(blocked):
    scene, run = blocked
    with open(__file__) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "lock" == classify(run(in_a_request(scene.file_lock))).kind
        scene.done = True


def test_a_worker_of_an_executor_without_work_is_idle_and_one_at_work_is_not(blocked):
    scene, _ = blocked
    before = set(threading.enumerate())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        (worker,) = set(threading.enumerate()) - before
        assert "idle" == classify(standing(worker)).kind
        busy = pool.submit(scene.socket_recv)
        deadline = time.monotonic() + 60
        while classify(standing(worker)).kind == "idle" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "socket" == classify(standing(worker)).kind
        scene.far.send(b"x")
        busy.result()


def test_a_server_that_waits_for_connections_is_idle():
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(30,))
        thread.start()
        try:
            assert "idle" == classify(standing(thread)).kind
        finally:
            stopper = threading.Thread(target=server.shutdown)
            stopper.start()
            socket.create_connection(server.server_address).close()
            stopper.join(10)
            thread.join(10)


def test_an_event_loop_without_anything_to_do_is_idle():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        assert "idle" == classify(standing(thread)).kind
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_a_timer_is_idle():
    timer = threading.Timer(60, int)
    timer.start()
    try:
        assert "idle" == classify(standing(timer)).kind
    finally:
        timer.cancel()
        timer.join(10)


def test_a_statement_that_waits_for_a_database_is_told(tmp_path):
    path = tmp_path / "orders.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("begin exclusive")
    errors = []

    def order():
        waiter = sqlite3.connect(path, timeout=30)
        try:
            waiter.execute("create table orders (number)")
        except sqlite3.OperationalError as error:
            errors.append(error)
        finally:
            waiter.close()

    thread = threading.Thread(target=order)
    thread.start()
    try:
        wait = classify(standing(thread))
        assert ("database", "order") == (wait.kind, last_part(wait.site.name))
    finally:
        holder.execute("commit")
        holder.close()
        thread.join(30)
    assert [] == errors


GUNICORN = """
import os, sys, threading, time
def application(environ, start_response):
    from runtime_exporter.profiling.offcpu import classify
    from runtime_exporter.profiling.pythonstack import python_stack
    time.sleep(0.3)
    kinds = {}
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            kinds[thread.name.partition("-")[0]] = classify(python_stack(sys._current_frames()[thread.ident])).kind
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(sorted(kinds.items())).encode()]
"""


def test_gunicorn_gthread_worker_without_requests_is_idle(tmp_path):
    pytest.importorskip("gunicorn")
    import http.client

    import tools

    (tmp_path / "app.py").write_text(GUNICORN)
    port = tools.free_port()
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "4", "-b", f"127.0.0.1:{port}", "app"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        try:
            body, deadline = b"", time.monotonic() + 60
            while not body and time.monotonic() < deadline:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                try:
                    connection.request("GET", "/")
                    body = connection.getresponse().read()
                except ConnectionError:
                    time.sleep(0.1)
                finally:
                    connection.close()
        finally:
            process.terminate()
    assert b"[('MainThread', 'idle')]" == body


def frame(name, line=1):
    return Frame(name, "app.py", line)


DRIVER = (
    frame("selectors:EpollSelector.select"),
    frame("socket:SocketIO.readinto"),
    frame("pymysql.connections:Connection._read_bytes"),
    frame("sqlalchemy.engine.default:DefaultDialect.do_execute"),
    frame("shop.orders:place"),
)


def test_a_socket_of_a_database_driver_is_a_wait_for_the_database_in_the_function_that_asked():
    assert ("database", DRIVER[-1]) == classify(DRIVER, source=lambda *_: "")


def test_a_line_that_says_nothing_is_other():
    assert "other" == classify((frame("shop:place"),), source=lambda *_: "total = price * count").kind


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("lock", "        with self._stock_lock:"),
        ("other", "    name = ', '.join(parts)"),
        ("other", "    price = prices.get(article, 0)"),
        ("lock", "    job = self.job_queue.get(True, 5)"),
        ("database", "    cursor.execute('select 1')"),
        ("socket", "    host = socket.getaddrinfo(name, 80)"),
        ("file", "    os.fsync(file.fileno())"),
        ("sleep", "    time.sleep(backoff)"),
        ("idle", "    signal.pause()"),
    ],
)
def test_where_the_call_is_of_c_the_line_tells_what_is_called(kind, line):
    stack = (frame("shop:place"), frame("shop:handle"))
    assert kind == classify(stack, source=lambda *_: line).kind


def test_no_stack_is_no_wait():
    assert None is classify(())


def test_waits_are_summed_by_kind():
    sleeping = (frame("shop:retry"),)
    assert {"database": 7, "other": 2} == by_kind([(DRIVER, 3), (sleeping, 2), (DRIVER, 4), ((), 9)])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["threading:RLock.acquire", "app:work"], True),
        (["threading:Condition.__enter__", "queue:Queue.put", "app:work"], True),
        (["threading:Condition.wait", "threading:Event.wait", "app:main"], False),
        (["threading:Condition.wait", "queue:Queue.get", "app:work"], False),
        (["threading:Condition.wait", "concurrent.futures._base:Future.result", "app:work"], False),
        (["threading:Thread._wait_for_tstate_lock", "threading:Thread.join", "app:main"], False),
        (["selectors:EpollSelector.select", "app:serve"], False),
        ([], False),
    ],
)
def test_only_who_waits_for_a_lock_contends(names, expected):
    assert expected == contends(tuple(Frame(name, "", 0) for name in names))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    with self._lock:", True),
        ("    async with self.locks[key]:  # of: this key", True),
        ("    with (self._lock,", True),
        ("    with self._lock: time.sleep(1)", False),
        ("    with self._lock: pause(1)", False),
        ("    LOCK.acquire()", True),
        ("    time.sleep(1)", False),
        ("    stop.wait(5)", False),
        ("    return sum(row)", False),
    ],
)
def test_where_the_call_has_no_frame_its_line_tells_whether_it_contends(line, expected):
    assert expected == contends((Frame("app:work", "app.py", 3),), source=lambda file, number: line)


def test_a_source_file_is_read_for_a_line_and_not_kept(tmp_path):
    source = tmp_path / "jobs.py"
    source.write_text("# -*- coding: latin-1 -*-\n# gr\xfcn\nwith lock:\n    pass\n", encoding="latin-1")

    assert "# gr\xfcn\n" == text_of(str(source), 2)
    assert "lock" == classify((Frame("jobs:work", str(source), 3),)).kind
    assert str(source) not in linecache.cache


def test_a_line_that_was_typed_in_is_known(monkeypatch):
    monkeypatch.setitem(linecache.cache, "<cell 1>", (4, None, ["sleep(4)\n"], "<cell 1>"))

    assert "sleep" == classify((Frame("__main__:work", "<cell 1>", 1),)).kind


@pytest.mark.parametrize("line", [0, -1, 9])
def test_a_line_that_a_file_does_not_have_is_empty(tmp_path, line):
    source = tmp_path / "jobs.py"
    source.write_text("wait()\n")

    assert "" == text_of(str(source), line)


def test_what_is_no_source_file_has_no_lines(tmp_path):
    binary, pipe = tmp_path / "module.so", tmp_path / "pipe"
    binary.write_bytes(b"\x7fELF\xff\xfe\0\n" * 9)
    os.mkfifo(pipe)  # opening it would wait for a writer, and reading it would take what is somebody else's

    assert ["", "", "", ""] == [text_of(str(file), 2) for file in (binary, pipe, tmp_path / "gone.py", "a\0b")]
