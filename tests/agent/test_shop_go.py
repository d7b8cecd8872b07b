"""The shop in Go: an example to profile, with faults to find."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from go_tools import require_go
from runtime_exporter.agent.config import GO_KINDS, Target
from runtime_exporter.agent.go import GoTarget
from runtime_exporter.profiling.advice import Evidence, Facts, advise, weigh
from runtime_exporter.profiling.evidence import Adviser
from runtime_exporter.profiling.pipeline import Pipeline
from runtime_exporter.profiling.table import tabulate
from shop_go import SOURCE, customers, shop_go, switch
from tools import free_port, wait_for

FAULTS = ["cpu-heavy-order", "goroutine-leak", "heavy-export", "lock-hot-spot", "slow-search"]


@pytest.fixture(scope="module")
def shop():
    with shop_go() as url:
        yield url


@pytest.fixture
def fault(shop):
    """Switch faults on, and off after the test."""
    switched = []

    def begin(name):
        switch(shop, name, on=True)
        switched.append(name)

    yield begin
    for name in switched:
        switch(shop, name, on=False)


def target(url, **options):
    options = {"name": "shop-go", "url": url, "kinds": GO_KINDS, "seconds": 2.0, "interval": 2.0, **options}
    return Target(**options)


def taken(url, **options):
    """Take one window."""
    source = GoTarget(target(url, **options))
    try:
        return source.take(), source
    finally:
        source.close()


def advice(window, source):
    return advise(
        Evidence(
            language="go",
            window=window.seconds,
            profiles={kind: weigh(profile, kind) for kind, profile in window.profiles.items()},
            facts=source.facts(),
        )
    )


def leading(profile, kind):
    """Return the application's function with most of a profile for itself."""
    table = tabulate(profile, kind=kind)
    return max((name for name in table.self_ if name.startswith("main.")), key=table.self_.__getitem__, default="")


def allocated(profile):
    return profile.total(profile.index("alloc_space"))


def test_the_source_is_as_gofmt_and_vet_want_it():
    go = require_go()
    go.run("vet", ".", cwd=SOURCE)
    root = Path(go.run("env", "GOROOT")[0].strip())

    assert (
        "" == subprocess.run([root / "bin" / "gofmt", "-l", SOURCE], capture_output=True, text=True, check=True).stdout
    )
    assert [] == re.findall(r"^require", (SOURCE / "go.mod").read_text(), re.MULTILINE)


def test_the_shop_sells_and_says_what_it_cannot_do(shop):
    assert "lamp 0" == requests.get(f"{shop}/products/0", timeout=10).json()["name"]
    assert 404 == requests.get(f"{shop}/products/99999", timeout=10).status_code
    assert 20 == len(requests.get(f"{shop}/search?q=lamp", timeout=10).json())
    assert 201 == requests.post(f"{shop}/orders?product=7", timeout=10).status_code
    assert 400 == requests.post(f"{shop}/orders?product=x", timeout=10).status_code
    assert 2000 == len(requests.get(f"{shop}/export", timeout=10).text.splitlines())
    assert dict.fromkeys(FAULTS, False) == requests.get(f"{shop}/faults", timeout=10).json()
    assert 404 == requests.post(f"{shop}/faults/none", json={"on": True}, timeout=10).status_code
    assert 400 == requests.post(f"{shop}/faults/slow-search", data=b"{}", timeout=10).status_code


def test_with_a_fault_the_shop_gives_the_same_answers(shop, fault):
    pages = ["/export", "/search?q=shelf"]
    healthy = [requests.get(shop + page, timeout=10).text for page in pages]
    fault("heavy-export")
    fault("slow-search")

    assert healthy == [requests.get(shop + page, timeout=10).text for page in pages]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_the_shop_ends_when_it_is_told_to(tmp_path):
    program = tmp_path / "shop-go"
    require_go().run("build", "-o", str(program), ".", cwd=SOURCE)
    with subprocess.Popen([program, "-address", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)

        assert 0 == process.wait(30)


def test_the_cpu_profile_names_the_function_that_burns_it(shop, fault):
    fault("cpu-heavy-order")
    with customers(shop, "POST", "/orders?product=1999", at_once=2):
        window, _ = taken(shop)
    cpu = window.profiles["cpu"]

    assert "main.tryEveryDiscount" == leading(cpu, "cpu")
    assert window.samples == cpu.total(cpu.index("samples")) > 0
    assert ("go", True) == (window.backend, window.unbiased)
    assert 0.5 < window.seconds < 60
    assert window.begin <= cpu.time_nanos / 1e9 <= window.end


def test_one_lock_behind_most_waiting_is_found_and_advised_on(shop, fault):
    fault("lock-hot-spot")
    with customers(shop, "POST", "/orders?product=1", at_once=8):
        window, source = taken(shop)
    found = {each.rule: each for each in advice(window, source)}

    assert "main.(*stock).reserve" == leading(window.profiles["mutex"], "mutex")
    assert "main.(*stock).reserve" == leading(window.profiles["block"], "block")
    assert "main.(*stock).reserve" == found["go-mutex-hot-spot"].target
    assert "main.(*stock).reserve" in found["go-mutex-hot-spot"].claim


def test_what_was_allocated_meanwhile_is_told_from_all_that_ever_was(shop, fault):
    fault("heavy-export")
    source = GoTarget(target(shop))
    with customers(shop, "GET", "/export"):
        before = source.capture("allocs", 0)
        window = source.take()
        after = source.capture("allocs", 0)
    source.close()
    allocs, heap = window.profiles["allocs"], window.profiles["heap"]

    assert "main.exportByConcatenation" == leading(allocs, "allocs")
    assert 2**20 < allocated(allocs) <= allocated(after) - allocated(before)
    assert ("alloc_space", "inuse_space") == (
        allocs.sample_types[allocs.index()].type,
        heap.sample_types[heap.index()].type,
    )


def test_the_expression_that_each_row_compiles_is_advised_on_as_soon_as_there_are_samples_enough(shop, fault):
    fault("slow-search")
    source = GoTarget(target(shop))
    adviser = Adviser("go", began=time.time(), read=lambda: Reading(source.facts()), pace=0.0)
    pipeline = Pipeline(suspects=adviser.suspects, advise=adviser.recommend)
    with customers(shop, "GET", "/search?q=lamp", at_once=2):
        found = wait_for(lambda: pipeline.take_in(source.take()).recommendations, seconds=60, what="advice")
    source.close()

    assert "main.searchByPattern" == {each.rule: each for each in found}["go-regexp-compile"].target


class Reading(NamedTuple):
    """The facts of a moment, as advice reads them."""

    facts: Facts

    def since(self, earlier, seen):
        return self.facts


def test_leaked_goroutines_are_proven_and_named():
    with shop_go("goroutine-leak") as url, customers(url, "POST", "/orders?product=1") as answers:
        source = GoTarget(target(url, seconds=1.0))
        first = source.take()
        second = source.take()
    found = {each.rule: each for each in advice(second, source)}["go-goroutine-leak"]

    assert ("critical", "main.notifyWarehouse") == (found.severity, found.target)
    assert 0 < first.profiles["goroutineleak"].total(0) <= len(answers)
    # It forces a collection, so that it is not asked for again at once; and what is proven stays true.
    assert first.profiles["goroutineleak"].samples == second.profiles["goroutineleak"].samples
    assert second.profiles["goroutine"].total(0) > first.profiles["goroutineleak"].total(0)
    assert second.begin == first.end


def test_a_shop_that_was_started_anew_is_not_told_what_the_last_one_did():
    port = free_port()
    source = GoTarget(target(f"http://127.0.0.1:{port}", seconds=1.0))
    with (
        shop_go("lock-hot-spot", "goroutine-leak", port=port) as url,
        customers(url, "POST", "/orders?product=1", at_once=4),
    ):
        before = source.take()
    with shop_go(port=port):
        after = source.take()
        ever = source.capture("allocs", 0)
    source.close()

    assert {"mutex", "goroutineleak"} <= before.profiles.keys()
    assert "goroutineleak" not in after.profiles
    assert "main.(*stock).reserve" not in tabulate(after.profiles["allocs"], kind="allocs").cum
    assert 0 < allocated(after.profiles["allocs"]) <= allocated(ever)
    assert "main.(*stock).reserve" not in {
        name
        for kind in {"mutex", "block"} & after.profiles.keys()
        for name in tabulate(after.profiles[kind], kind=kind).cum
    }


def test_the_readme_says_what_each_fault_does():
    assert FAULTS == sorted(
        re.findall(r"^\| `([a-z-]+)` \| ", (SOURCE / "README.md").read_text(), re.MULTILINE)[: len(FAULTS)]
    )


def test_a_healthy_shop_has_no_leaks_and_no_advice(shop):
    with customers(shop, "GET", "/products/1"):
        window, source = taken(shop, seconds=1.0)

    assert {} == source.problems
    assert "goroutineleak" not in window.profiles
    assert () == source.facts().suspects
    assert set() == {each.rule for each in advice(window, source)} & {
        "go-goroutine-leak",
        "go-mutex-hot-spot",
        "go-regexp-compile",
    }


@pytest.mark.parametrize("metrics_path", ["", "/metrics"])
def test_the_runtime_says_what_it_can_with_and_without_a_page_of_metrics(shop, metrics_path):
    _, source = taken(shop, seconds=1.0, metrics_path=metrics_path)
    go = source.facts().go

    assert go.goroutines > 3
    assert go.heap_goal > 2**20
    assert go.live_heap > 0
    assert ((1, 27), 100) == (go.version, go.gogc) if metrics_path else (None, None) == (go.version, go.gogc)
    assert go.memory_limit is None


def test_a_profile_is_taken_on_request(shop):
    source = GoTarget(target(shop))

    assert ("goroutine", "count") == source.capture("goroutine", 0).sample_types[0]
    assert source.capture("cpu", 1).duration_nanos > 5 * 10**8
    assert source.capture("heap", 1).sample_types == source.capture("allocs", 0).sample_types
    source.close()


def test_windows_of_a_go_service_become_series_like_those_of_python(shop, fault):
    fault("cpu-heavy-order")
    source, pipeline = GoTarget(target(shop, seconds=1.0)), Pipeline()
    with customers(shop, "POST", "/orders?product=1999"):
        for _ in range(3):
            report = pipeline.take_in(source.take())
    source.close()

    assert "main.tryEveryDiscount" in report.tallies["cpu"].self_.members
    for kind in ("cpu", "goroutine", "heap"):
        account = report.tallies[kind].self_
        assert account.total == sum(account.members.values()) + account.other + account.departed
        # Of a heap as small as the shop's, one block in half a megabyte may mean none.
        assert account.total > 0 or kind == "heap"
    assert "go" == report.backend
