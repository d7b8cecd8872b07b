"""gunicorn's workers as one service: together they count what was answered, whatever becomes of each of them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from prefork_service import Scraper, Service
from tools import wait_for

GUNICORN = ("gunicorn", "-b", "127.0.0.1:{port}")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CLASSES = {
    "gthread": ("-k", "gthread", "--threads", "3", "shop:app"),
    "uvicorn": ("-k", "uvicorn_worker.UvicornWorker", "shop_asgi:app"),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Two sync workers that one test after the other does something to."""
    with Service(tmp_path_factory.mktemp("gunicorn"), *GUNICORN, "-w", "2", "shop:app") as service:
        yield service


def test_every_worker_answers_for_all(service):
    assert (150, 0) == service.order(150)[:2]
    wait_for(lambda: len(service.pids()) == 2, what="answers of both")
    service.counts_exactly()
    assert {"0", "1"} == service.numbers()


@pytest.mark.parametrize("arguments", CLASSES.values(), ids=CLASSES.keys())
def test_workers_of_other_classes_do_so_too_and_leave_nothing(tmp_path, arguments):
    with Service(tmp_path, *GUNICORN, "-w", "2", *arguments) as service:
        (directory,) = service.directories()
        assert (100, 0) == service.order(100)[:2]
        service.counts_exactly()
        assert {"0", "1"} == service.numbers()
    assert not directory.exists()


def test_what_killed_workers_have_counted_stays(service):
    with Scraper(service):
        service.order(40)
        service.counts_exactly()  # a duration is only known after the customer has the answer
        before = service.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not {*before} & {*service.workers()}, what="other workers")
        service.counts_exactly()


def test_a_crash_loop_of_workers_shows_while_the_arbiter_lives_and_its_start_stays_what_it_was(service):
    before, (start,) = service.ends(), service.samples("process_start_time_seconds").values()
    for crash in range(1, 4):
        assert "" == service.get("/crash")
        wait_for(lambda: len(service.numbers()) == 2, what="two workers")
        wait_for(lambda crash=crash: service.ends()["died"] == before["died"] + crash, what="a death")
    assert (before["left"], before["unknown"]) == (service.ends()["left"], service.ends()["unknown"])
    assert [start] == [*service.samples("process_start_time_seconds").values()]


def test_a_worker_that_hangs_and_is_ended_by_its_arbiter_has_died(tmp_path):
    with Service(tmp_path, *GUNICORN, "-w", "2", "--timeout", "2", "shop:app") as service:
        assert "" == service.get("/hang")
        wait_for(lambda: {"left": 0, "died": 1, "unknown": 0} == service.ends(), what="a death", seconds=30)


def test_a_worker_that_hangs_has_died_also_where_nobody_runs_it_and_the_hook_of_its_configuration_is_called(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "shop.conf.py").write_text(
        f"raw_env = ['RUNTIME_EXPORTER_RUN_DIRECTORY={tmp_path / 'run'}', 'SHOP_STARTS=1']\n"
        "def worker_abort(worker): print('aborted', worker.pid, flush=True)\n"
    )
    command = (*GUNICORN, "-c", "shop.conf.py", "-w", "2", "--timeout", "2", "shop:app")
    with Service(tmp_path, *command, run=False) as service:
        assert "" == service.get("/hang")
        wait_for(lambda: {"left": 0, "died": 1, "unknown": 0} == service.ends(), what="a death", seconds=30)
        assert 1 == service.output.read_text().count("aborted")


def test_a_reload_loses_nothing_and_counts_nothing_twice(service):
    with Scraper(service):
        service.order(40)
        old = service.workers()
        before = service.ends()
        service.process.send_signal(signal.SIGHUP)
        assert (60, 0) == service.order(60)[:2]
        wait_for(lambda: not {*old} & {*service.workers()}, what="new workers")
        service.counts_exactly()
        wait_for(lambda: service.ends() == {**before, "left": before["left"] + 2}, what="two have left")


def test_nothing_that_was_answered_is_lost_when_workers_are_killed_under_load(service):
    def kill() -> None:
        for _ in range(6):
            time.sleep(random.uniform(0.02, 0.2))
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(wait_for(service.workers)), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    with Scraper(service):
        killer.start()
        while killer.is_alive():
            service.order(40)
        killer.join()
        # What was counted and whose answer died on its way is the customer's loss, not the count's.
        wait_for(lambda: service.answered <= service.placed(), what="what was answered")
        assert service.placed() <= service.asked
        wait_for(lambda: len(service.numbers()) == 2, what="two workers")


def test_workers_that_are_replaced_by_others_go_on_with_the_same_numbers(tmp_path):
    with Service(tmp_path, *GUNICORN, "-w", "2", "--max-requests", "20", "shop:app") as service, Scraper(service):
        orders = service.order(100)
        assert (100, 0) == orders[:2]
        assert len(orders.pids) > 3
        service.counts_exactly()
        wait_for(lambda: len(service.numbers()) == 2, what="two workers")
        wait_for(lambda: service.ends()["left"] > 1, what="two have left")
        assert (0, 0) == (service.ends()["died"], service.ends()["unknown"])
        # Old and new may live side by side for a moment; a number is never as large as the lives.
        assert max(map(int, service.numbers())) < 4
        (start,) = service.samples("process_start_time_seconds").values()
        assert [] == [each for each in service.samples("worker_process_start_time_seconds").values() if each <= start]


def test_a_preloaded_application_counts_what_it_did_before_the_fork_once_also_where_the_arbiter_is_slow_to_start(
    tmp_path,
):
    (tmp_path / "gunicorn.conf.py").write_text("import time\ntime.sleep(1)\n")
    with Service(tmp_path, *GUNICORN, "-w", "3", "--preload", "shop:app", workers=3) as service:
        (directory,) = service.directories()
        assert (60, 0) == service.order(60)[:2]
        service.counts_exactly()
        assert {1.0} == {*service.samples("shop_loads_total").values()}
        old = service.workers()
        os.kill(old[0], signal.SIGKILL)
        wait_for(lambda: old[0] not in service.workers() and len(service.workers()) == 3, what="another worker")
        assert (60, 0) == service.order(60)[:2]
        service.counts_exactly()
        assert {1.0} == {*service.samples("shop_loads_total").values()}
    assert not directory.exists()


def test_a_second_arbiter_that_takes_over_is_the_same_service(tmp_path):
    with Service(tmp_path, *GUNICORN, "-w", "2", "shop:app", "--pid", str(tmp_path / "pid")) as service:
        (directory,) = service.directories()
        service.order(40)
        service.process.send_signal(signal.SIGUSR2)
        second = int(wait_for(lambda: _text(tmp_path / "pid.2"), what="the second arbiter"))
        wait_for(lambda: len(service.numbers()) == 4, what="workers of both")
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(20)
        assert directory.is_dir()
        assert (40, 0) == service.order(40)[:2]
        service.counts_exactly()
        os.kill(second, signal.SIGTERM)
        wait_for(lambda: not directory.exists(), what="the end of the directory")


def test_what_a_killed_arbiter_has_left_is_removed_by_the_next_start(tmp_path):
    with Service(tmp_path, *GUNICORN, "-w", "2", "--timeout", "4", "shop:app") as service:
        (left,) = service.directories()
        workers = service.workers()
        service.process.kill()
        wait_for(
            lambda: not any(map(_lives, workers)), what="the end of the workers, who see that their arbiter is gone"
        )
    # Whichever comes next: it may be that of a test that runs beside this one.
    with Service(tmp_path, *GUNICORN, "-w", "2", "shop:app") as service:
        assert not left.exists()
        service.order(10)
        service.counts_exactly()


def test_a_directory_that_has_a_name_stays_and_its_counters_go_on(tmp_path):
    example = (EXAMPLES / "gunicorn.conf.py").read_text()
    directory = str(tmp_path / "run")
    (tmp_path / "shop.conf.py").write_text(example.replace("/dev/shm/shop", directory).replace("= 4", "= 2"))
    with Service(tmp_path, *GUNICORN, "-c", "shop.conf.py", "shop:app", run=False) as service:
        service.order(20)
        service.counts_exactly()
        before = service.placed()
    named = ("--run-directory", directory)
    with Service(tmp_path, *GUNICORN, "-w", "2", "shop:app", settings=named) as service:
        assert [] == service.directories()
        assert before < service.placed()


@pytest.mark.parametrize("named", [False, True], ids=["in the directory of run", "in one of their own"])
def test_workers_that_start_an_exporter_by_themselves_under_run_share_it(tmp_path, named):
    (tmp_path / "named").mkdir()
    environment = [f"RUNTIME_EXPORTER_RUN_DIRECTORY={tmp_path / 'named'}"] if named else []
    starts = f"raw_env = {environment}\ndef post_worker_init(_):\n    import runtime_exporter\n    runtime_exporter.start()\n"
    (tmp_path / "gunicorn.conf.py").write_text(starts)  # which gunicorn reads by itself
    with Service(tmp_path, *GUNICORN, "-w", "2", "shop:app") as service:
        service.order(20)
        service.counts_exactly()
        assert named == any((tmp_path / "named").glob("*.worker"))


def test_a_directory_that_cannot_be_used_leaves_each_worker_alone_and_says_so(tmp_path):
    (tmp_path / "file").touch()
    with Service(
        tmp_path, *GUNICORN, "-w", "2", "shop:app", workers=0, settings=("--run-directory", str(tmp_path / "file"))
    ) as service:
        assert (10, 0) == service.order(10)[:2]
        assert str(tmp_path / "file") in service.output.read_text()
        assert set() == service.numbers()


def _text(path) -> str:
    return path.read_text() if path.exists() else ""


def _lives(pid: int) -> bool:
    return subprocess.run(["kill", "-0", str(pid)], capture_output=True, check=False).returncode == 0
