"""uvicorn --workers: processes that are spawned, not forked, as one service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from prefork_service import Scraper, Service
from runtime_exporter.metrics.workers import Merged
from tools import free_port, wait_for

UVICORN = ("uvicorn", "shop_asgi:app", "--port", "{port}", "--workers", "2")


def test_spawned_workers_answer_for_each_other_and_a_killed_one_is_still_counted(tmp_path):
    with Service(tmp_path, *UVICORN) as service, Scraper(service):
        (directory,) = service.directories()
        orders = service.order(100)
        assert (100, 0) == orders[:2]
        service.counts_exactly()
        assert {"0", "1"} == service.numbers()
        os.kill(min(orders.pids), signal.SIGKILL)
        wait_for(lambda: service.pids() - orders.pids, what="another worker")
        service.counts_exactly()
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not service.pids() & orders.pids, what="new workers")
        service.counts_exactly()
        # It ends by the SIGTERM that it was asked with, after its shutdown.
        wait_for(lambda: {"left": 2, "died": 1, "unknown": 0} == service.ends(), what="who left, and who died")
    assert not directory.exists()


PROGRAM = """
import sys
import runtime_exporter, uvicorn
from starlette.applications import Starlette

runtime_exporter.start(port=0)
uvicorn.run(runtime_exporter.ASGIMiddleware(Starlette()), port=int(sys.argv[1]), log_level="error")
"""


def test_without_run_a_server_that_is_told_to_end_has_left_since_its_application_was_told(tmp_path):
    (tmp_path / "run").mkdir()
    port = free_port()
    environ = {**os.environ, "RUNTIME_EXPORTER_RUN_DIRECTORY": str(tmp_path / "run")}
    server = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port)], env=environ)

    def serves():
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
        except urllib.error.HTTPError as error:  # there are no pages
            error.close()
            return True
        except OSError:
            return False

    try:
        wait_for(serves, what="the server", seconds=60)
        server.terminate()
        assert -signal.SIGTERM == server.wait(30)
    finally:
        server.kill()
        server.wait()
    merged = Merged(tmp_path / "run")
    merged.collected_families()
    assert {"left": 1, "died": 0, "unknown": 0} == merged.ends()
    merged.close()
