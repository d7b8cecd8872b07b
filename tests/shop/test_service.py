import json

import pytest

from shop import service
from shop.data import Catalogue, Product, User
from shop.service import Shop


def order(user=1, **quantities):
    return json.dumps(
        {"user": user, "items": [{"product": int(key[1:]), "quantity": value} for key, value in quantities.items()]}
    ).encode()


@pytest.fixture
def corner_shop():
    products = (
        Product(1, "blue shirt", "clothing", "A shirt.", 1000, 5),
        Product(2, "red shirt", "clothing", "A red one.", 2000, 5),
        Product(3, "oak desk", "home", "A desk, blue legs.", 30000, 1),
    )
    return Shop(Catalogue(products, (User(1, "Ada Berg", "ada@shop.example", "Ghent"),)))


def test_a_list_is_cut_into_pages(shop):
    answer, status = shop.answer(shop.products, {"page": "2", "per_page": "7"})
    assert (200, 300, [8, 9, 10, 11, 12, 13, 14]) == (status, answer["total"], [item["id"] for item in answer["items"]])


def test_a_page_never_holds_more_than_a_hundred(shop):
    assert 100 == len(shop.answer(shop.products, {"per_page": "5000"})[0]["items"])


def test_a_list_can_be_of_one_category(corner_shop):
    assert [3] == [item["id"] for item in corner_shop.products({"category": "home"})["items"]]


def test_search_wants_every_word_in_name_or_description(corner_shop):
    found = {
        words: [item["id"] for item in corner_shop.search({"q": words})["items"]]
        for words in ("blue", "BLUE shirt", "mauve")
    }
    assert {"blue": [1, 3], "BLUE shirt": [1], "mauve": []} == found


def test_an_order_takes_its_units_from_the_stock(corner_shop):
    corner_shop.answer(corner_shop.create_order, order(p1=3))
    assert 2 == corner_shop.product("1")["stock"]


def test_of_three_units_the_cheapest_is_free(corner_shop):
    placed = corner_shop.create_order(order(p1=1, p2=2))
    assert (1000, 4000) == (placed["discount_cents"], placed["total_cents"])


def test_an_order_that_the_stock_cannot_fill_takes_nothing(corner_shop):
    answer, status = corner_shop.answer(corner_shop.create_order, order(p1=2, p3=2))
    assert (409, "only 1 units of product 3 are left") == (status, answer["error"])
    assert 5 == corner_shop.product("1")["stock"]


def test_a_product_named_twice_counts_twice(corner_shop):
    body = json.dumps({"user": 1, "items": [{"product": 3}, {"product": 3}]}).encode()
    assert 409 == corner_shop.answer(corner_shop.create_order, body)[1]


def test_orders_are_listed_newest_first(corner_shop):
    for _ in range(3):
        corner_shop.create_order(order(p1=1))
    assert [3, 2, 1] == [item["id"] for item in corner_shop.orders({})["items"]]
    assert 2 == corner_shop.order("2")["id"]


def test_the_oldest_orders_leave_when_there_are_too_many(corner_shop, monkeypatch):
    monkeypatch.setattr(service, "MOST_ORDERS", 2)
    for _ in range(3):
        corner_shop.create_order(order(p1=1))
    assert [404, 200, 200] == [corner_shop.answer(corner_shop.order, str(number))[1] for number in (1, 2, 3)]


@pytest.mark.parametrize("asked", ["0", "-1", "301", "abc", "", "9" * 5000, "1.0", " 1"])
def test_what_is_no_product_is_not_found(shop, asked):
    assert 404 == shop.answer(shop.product, asked)[1]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b'{"user": 1}', "items is a list"),
        (b'{"user": 1, "items": []}', "an order has 1 to 50 units, not 0"),
        (b'{"user": 1, "items": [7]}', "an item is an object with product and quantity"),
        (b'{"user": 1, "items": [{"product": 1, "quantity": true}]}', "a quantity is a number from 1 to 50"),
        (b'{"user": 1, "items": [{"product": 1, "quantity": 51}]}', "a quantity is a number from 1 to 50"),
    ],
)
def test_a_wrong_order_is_refused_with_the_reason(shop, body, reason):
    assert ({"error": reason}, 400) == shop.answer(shop.create_order, body)


def test_an_order_of_nobody_is_refused(shop):
    assert ({"error": "there is no user None"}, 404) == shop.answer(shop.create_order, b'{"items": []}')


def test_business_metrics_count_what_was_sold_and_what_was_refused(corner_shop):
    before = totals()
    corner_shop.answer(corner_shop.create_order, order(p1=1))
    corner_shop.answer(corner_shop.create_order, b"nonsense")
    after = totals()
    assert {"placed": 1, "rejected": 1, "revenue": 10, "values": 1} == {key: after[key] - before[key] for key in after}


def totals():
    samples = {
        (sample.name, sample.labels.get("status")): sample.value
        for metric in (service.ORDERS, service.REVENUE, service.ORDER_VALUE)
        for family in metric.collect()
        for sample in family.samples
    }
    return {
        "placed": samples.get(("shop_orders_total", "placed"), 0),
        "rejected": samples.get(("shop_orders_total", "rejected"), 0),
        "revenue": samples["shop_revenue_euros_total", None],
        "values": samples["shop_order_value_euros_count", None],
    }
