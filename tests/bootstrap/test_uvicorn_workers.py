"""uvicorn --workers: processes that are spawned, not forked, as one service."""

from __future__ import annotations

import os
import signal

from prefork_service import Scraper, Service
from tools import wait_for

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
