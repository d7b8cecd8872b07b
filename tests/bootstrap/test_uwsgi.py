"""uWSGI's workers as one service: it has Python in it, forks without telling it, and loads applications before or after."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from prefork_service import Scraper, Service
from tools import wait_for

UWSGI = ("uwsgi", "--http", "127.0.0.1:{port}", "--module", "shop:app", "--master", "--enable-threads", "--die-on-term")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LOADED = {"before the fork": (), "by each worker": ("--lazy-apps",)}

each_way = pytest.mark.parametrize("way", LOADED.values(), ids=LOADED.keys())


@each_way
def test_workers_count_as_one_whether_they_were_forked_from_the_application_or_loaded_it(tmp_path, way):
    with Service(tmp_path, *UWSGI, "--processes", "2", *way) as service, Scraper(service):
        assert (100, 0) == service.order(100)[:2]
        wait_for(lambda: len(service.pids()) == 2, what="answers of both")
        service.counts_exactly()
        # Loaded before the fork, the application has a number in the master, too, which is no process that is watched.
        assert ({"0", "1"} if way else {"1", "2"}) == service.numbers()
        for _ in range(2):
            orders = service.order(40)
            service.counts_exactly()
            for pid in orders.pids:
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: len(service.numbers()) == 2, what="two workers")
            service.counts_exactly()


def test_workers_that_are_replaced_after_some_requests_keep_the_sum(tmp_path):
    example = (EXAMPLES / "uwsgi.ini").read_text()
    changes = {"8000": "$(SHOP_PORT)", "flask_app": "shop", "= 4": "= 2", "= 10000": "= 20\nmin-worker-lifetime = 1"}
    for old, new in changes.items():
        assert old in example
        example = example.replace(old, new)
    (tmp_path / "uwsgi.ini").write_text(example)
    with Service(tmp_path, "uwsgi", "uwsgi.ini") as service, Scraper(service):
        seen = set()

        def replaced():
            orders = service.order(50)
            assert (50, 0) == orders[:2]
            seen.update(orders.pids)
            return len(seen) > 3

        wait_for(replaced, what="workers were replaced")  # each lives for a second at least
        service.counts_exactly()


def test_a_reload_worker_by_worker_keeps_the_sum(tmp_path):
    touched = tmp_path / "touched"
    touched.touch()
    reloading = ("--lazy-apps", "--touch-chain-reload", str(touched))
    with Service(tmp_path, *UWSGI, "--processes", "2", *reloading) as service, Scraper(service):
        old = service.pids(40)
        os.utime(touched, times=(time.time() + 60, time.time() + 60))
        wait_for(lambda: not service.pids() & old, what="new workers")
        service.counts_exactly()


@each_way
def test_an_application_that_starts_the_exporter_by_itself_needs_no_more_than_a_directory(tmp_path, way):
    """Loaded before the fork, it starts and joins in the master: uWSGI does not call by itself what follows a fork."""
    (tmp_path / "run").mkdir()
    named = {"RUNTIME_EXPORTER_RUN_DIRECTORY": str(tmp_path / "run"), "SHOP_STARTS": "yes"}
    with Service(tmp_path, *UWSGI, "--processes", "2", *way, run=False, **named) as service:
        assert (100, 0) == service.order(100)[:2]
        service.counts_exactly()
