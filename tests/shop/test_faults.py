import ctypes
import gc
import itertools
import json
import threading
from types import SimpleNamespace

import psutil
import pytest

from shop.faults import FaultError, Faults, three_for_two
from tools import wait_for


def switch(shop, name, **asked):
    return shop.control(shop.switch_fault, name, json.dumps({"on": True, **asked}).encode())


def place_order(shop, units=1):
    body = json.dumps({"user": 1, "items": [{"product": number, "quantity": 1} for number in range(1, units + 1)]})
    answer, status = shop.answer(shop.create_order, body.encode(), status=201)
    assert 201 == status
    return answer


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("order-worker-")]


def test_a_healthy_shop_has_no_fault():
    assert [] == Faults().active()


def test_the_slow_search_finds_the_same_products(shop):
    def found():
        return {
            words: shop.search({"q": words, "per_page": "100"})
            for words in ("blue", "red shirt", "nothing such", "oak desk")
        }

    fast = found()
    switch(shop, "slow-search", page_wait=0)
    assert fast == found()


def test_the_slow_search_reads_every_row_and_waits_for_every_page(shop, monkeypatch):
    waits, read = [], []
    monkeypatch.setattr("shop.faults.time.sleep", waits.append)
    real = shop.faults.slow_search.read_every_row
    switch(shop, "slow-search", page_wait=0.2)
    monkeypatch.setattr("shop.faults.words_of", lambda product: read.append(product.id) or frozenset())
    assert [] == list(real(shop.catalogue.products, frozenset({"blue"})))
    assert ([0.2], list(range(1, 301))) == (waits, read)


def test_the_cache_keeps_every_page_although_the_product_is_the_same(shop):
    switch(shop, "memory-leak", entry_kilobytes=10)
    for _ in range(5):
        shop.answer(shop.product, "1")
    assert 5 == shop.faults.memory_leak.amount()


def test_the_cache_is_emptied_when_the_fault_is_switched_off(shop):
    switch(shop, "memory-leak", entry_kilobytes=10)
    shop.answer(shop.product, "1")
    shop.control(shop.switch_fault, "memory-leak", b'{"on": false}')
    shop.answer(shop.product, "1")
    assert 0 == shop.faults.memory_leak.amount()


def test_the_cache_stops_at_its_bound(shop, monkeypatch):
    monkeypatch.setattr(type(shop.faults.memory_leak), "most_bytes", 35_000)
    switch(shop, "memory-leak", entry_kilobytes=10)
    for _ in range(10):
        shop.answer(shop.product, "1")
    assert 3 == shop.faults.memory_leak.amount()


def test_every_order_leaves_a_thread_until_the_fault_is_switched_off(shop):
    switch(shop, "thread-leak", per_order=2)
    place_order(shop)
    place_order(shop)
    assert 4 == len(workers())
    shop.control(shop.reset_faults)
    wait_for(lambda: not workers(), what="the end of the leaked threads")
    place_order(shop)
    assert [] == workers()


def test_threads_stop_at_their_bound(shop, monkeypatch):
    monkeypatch.setattr(type(shop.faults.thread_leak), "most_threads", 3)
    switch(shop, "thread-leak", per_order=2)
    for _ in range(4):
        place_order(shop)
    assert 3 == len(workers())


@pytest.mark.parametrize("units", [1, 2, 3, 5, 7, 8, 12])
def test_the_heavy_order_comes_to_the_same_price(shop, units):
    light = place_order(shop, units)
    switch(shop, "cpu-heavy-order", units=6)
    heavy = place_order(shop, units)
    assert (light["discount_cents"], light["total_cents"]) == (heavy["discount_cents"], heavy["total_cents"])


def test_the_heavy_order_tries_every_permutation(shop, monkeypatch):
    tried = []

    def permutations(prices):
        for order in itertools.permutations(prices):
            tried.append(order)
            yield order

    monkeypatch.setattr("shop.faults.itertools", SimpleNamespace(permutations=permutations))
    switch(shop, "cpu-heavy-order", units=6)
    place_order(shop, 9)
    assert 720 == len(tried)


@pytest.mark.parametrize(
    ("prices", "saved"), [([], 0), ([9, 9], 0), ([3, 1, 2], 1), ([1, 2, 3, 0], 1), ([9, 8, 4, 7, 1, 1], 8)]
)
def test_of_every_three_units_dearest_first_the_third_is_free(prices, saved):
    assert saved == three_for_two(prices)


def test_the_leaked_memory_is_resident(shop):
    def resident_bytes():
        return psutil.Process().memory_info().rss

    switch(shop, "memory-leak", entry_kilobytes=2000)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or what earlier tests have freed would be taken again
    before = resident_bytes()
    for _ in range(100):
        shop.answer(shop.product, "1")
    assert resident_bytes() - before > 50_000_000


def test_garbage_is_freed_by_the_collector_only(shop):
    switch(shop, "garbage-cycles", nodes=1000)
    gc.collect()
    gc.disable()
    try:
        shop.answer(shop.product, "1")
        collected = gc.collect()
        shop.faults.reset()
        gc.collect()
        shop.answer(shop.product, "1")
        without = gc.collect()
    finally:
        gc.enable()
    assert collected >= 1000
    assert without < 100


def test_errors_strike_at_their_rate_and_end(shop):
    switch(shop, "errors", rate=0.3)
    statuses = [shop.answer(shop.product, "1")[1] for _ in range(2000)]
    assert {200, 503} == set(statuses)
    assert 500 <= statuses.count(503) <= 700
    shop.faults.reset()
    assert {200} == {shop.answer(shop.product, "1")[1] for _ in range(100)}


def test_who_switches_faults_gets_through_the_errors(shop):
    switch(shop, "errors", rate=1)
    assert 503 == shop.answer(shop.product, "1")[1]
    assert 200 == shop.control(shop.reset_faults)[1]


def test_the_status_says_what_is_on_and_what_it_holds(shop):
    answer, _ = switch(shop, "thread-leak", per_order=3)
    assert {"on": True, "amount": 0, "per_order": 3} == answer["thread-leak"]
    assert ["thread-leak"] == shop.faults.active()


def test_the_next_switch_starts_from_the_defaults(shop):
    switch(shop, "errors", rate=1)
    assert 0.3 == switch(shop, "errors")[0]["errors"]["rate"]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("rain", {"on": True}, "there is no fault 'rain'; there are slow-search, memory-leak, thread-leak, cpu-heavy-order, garbage-cycles, errors"),
        ("errors", {"on": "yes"}, 'say {"on": true} or {"on": false}'),
        ("errors", {}, 'say {"on": true} or {"on": false}'),
        ("errors", {"on": True, "rate": 1.5}, "rate of errors is a number from 0 to 1, not 1.5"),
        ("errors", {"on": True, "rate": True}, "rate of errors is a number from 0 to 1, not True"),
        ("errors", {"on": True, "speed": 1}, "errors has no parameter 'speed'; it has rate"),
        ("memory-leak", {"on": True, "entry_kilobytes": 1e9}, "entry_kilobytes of memory-leak is a number from 1 to 2000, not 1000000000.0"),
    ],
)  # fmt: skip
def test_a_wrong_switch_is_refused_and_changes_nothing(shop, name, body, reason):
    assert ({"error": reason}, 400) == shop.control(shop.switch_fault, name, json.dumps(body).encode())
    assert [] == shop.faults.active()


def test_a_setting_that_is_no_number_is_refused():
    with pytest.raises(FaultError, match="not nan"):
        Faults()["errors"].switch(True, {"rate": float("nan")})
