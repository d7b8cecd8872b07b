"""What the shop does, in plain functions that know no web framework: the Flask app and the FastAPI twin both call these."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runtime_exporter.metrics import Counter, Gauge, Histogram
from shop.faults import WORD, FaultError, Faults, three_for_two, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from shop.data import Catalogue, Product

# Business metrics: what the owner of the shop looks at, beside what the exporter measures by itself.
ORDERS = Counter("shop_orders_total", "Orders received.", ["status"])
REVENUE = Counter("shop_revenue_euros_total", "Value of the orders placed, after discounts.")
ORDER_VALUE = Histogram(
    "shop_order_value_euros", "Value of an order placed.", buckets=(50, 100, 250, 500, 1000, 2500, 5000)
)
SEARCHES = Counter("shop_searches_total", "Searches answered.", ["result"])
OPEN_ORDERS = Gauge("shop_orders_kept", "Orders that can be looked up.")

MOST_ORDERS = 10_000  # older orders belong to the archive: the shop itself must not leak
MOST_UNITS = 50
PER_PAGE = 20
MOST_DIGITS = 9  # of an id or a page number

Answer = tuple[dict[str, Any], int]  # the JSON object and the HTTP status


class Refused(Exception):  # noqa: N818 - an answer to the customer, not a failure of the shop
    """The request gets an answer other than 200."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Shop:
    """Products, users and orders, all in memory."""

    def __init__(self, catalogue: Catalogue, faults: Faults | None = None) -> None:
        self.catalogue = catalogue
        self.faults = faults or Faults()
        self._by_word = _index(catalogue.products)
        self._stock = {product.id: product.stock for product in catalogue.products}
        self._orders: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._last_order = 0
        self._lock = threading.Lock()

    def answer(self, function: Callable[..., dict[str, Any]], *arguments: object, status: int = 200) -> Answer:
        """Return what `function` says with `status`, or an error object with the status of the refusal."""
        if self.faults.errors.strikes():
            return {"error": "the payment provider does not answer"}, 503
        if self.faults.garbage_cycles.on:
            self.faults.garbage_cycles.litter()
        return self.control(function, *arguments, status=status)

    def control(self, function: Callable[..., dict[str, Any]], *arguments: object, status: int = 200) -> Answer:
        """Return the same without the faults: who switches them must get through."""
        try:
            return function(*arguments), status
        except Refused as refusal:
            return {"error": str(refusal)}, refusal.status

    def products(self, query: Mapping[str, str]) -> dict[str, Any]:
        """List products by page, of one `category` or of all."""
        category = query.get("category")
        found = [p for p in self.catalogue.products if category in {None, p.category}]
        return _page(found, query)

    def product(self, product_id: str) -> dict[str, Any]:
        """Show one product with its stock of this moment."""
        product = self._product(product_id)
        shown = {**asdict(product), "stock": self._stock[product.id]}
        if self.faults.memory_leak.on:
            self.faults.memory_leak.remember(f"/products/{product_id}", json.dumps(shown).encode())
        return shown

    def search(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Find the products that have every word of `q`."""
        words = frozenset(WORD.findall(query.get("q", "").casefold()))
        if not words:
            raise Refused(400, "say what to search for: ?q=blue+shirt")
        slow = self.faults.slow_search
        found = list(slow.read_every_row(self.catalogue.products, words) if slow.on else self._lookup(words))
        SEARCHES.labels("found" if found else "empty").inc()
        return _page(found, query)

    def users(self, query: Mapping[str, str]) -> dict[str, Any]:
        """List users by page."""
        return _page(self.catalogue.users, query)

    def user(self, user_id: str) -> dict[str, Any]:
        """Show one user."""
        return asdict(self.catalogue.users[_number(user_id, "user", len(self.catalogue.users)) - 1])

    def orders(self, query: Mapping[str, str]) -> dict[str, Any]:
        """List orders by page, the newest first."""
        with self._lock:
            newest_first = list(reversed(self._orders.values()))
        return _page(newest_first, query)

    def order(self, order_id: str) -> dict[str, Any]:
        """Show one order."""
        order = self._orders.get(_whole(order_id))
        if order is None:
            raise Refused(404, f"there is no order {order_id}")
        return order

    def create_order(self, body: bytes) -> dict[str, Any]:
        """Place an order: `{"user": 7, "items": [{"product": 12, "quantity": 2}]}`."""
        try:
            order = self._place(body)
        except Refused:
            ORDERS.labels("rejected").inc()
            raise
        ORDERS.labels("placed").inc()
        REVENUE.inc(order["total_cents"] / 100)
        ORDER_VALUE.observe(order["total_cents"] / 100)
        self.faults.thread_leak.await_confirmation(order["id"])
        return order

    def switch_fault(self, name: str, body: bytes) -> dict[str, Any]:
        """Switch a fault: `{"on": true}`, with its parameters beside where the defaults do not do."""
        asked = _object(body)
        on = asked.pop("on", None)
        if not isinstance(on, bool):
            raise Refused(400, 'say {"on": true} or {"on": false}')
        try:
            self.faults[name].switch(on, asked)
        except FaultError as error:
            raise Refused(400, str(error)) from None
        return self.faults.status()

    def reset_faults(self) -> dict[str, Any]:
        """Switch every fault off."""
        self.faults.reset()
        return self.faults.status()

    def _place(self, body: bytes) -> dict[str, Any]:
        asked = _object(body)
        user = self.user(str(asked.get("user")))
        lines = [self._line(item) for item in _list(asked.get("items"), "items")]
        prices = [product.price_cents for product, quantity in lines for _ in range(quantity)]
        if not 1 <= len(prices) <= MOST_UNITS:
            raise Refused(400, f"an order has 1 to {MOST_UNITS} units, not {len(prices)}")
        heavy = self.faults.cpu_heavy_order
        discount = heavy.discount(prices) if heavy.on else three_for_two(prices)
        with self._lock:
            self._take(lines)
            self._last_order += 1
            order = {
                "id": self._last_order,
                "user": user["id"],
                "items": [{"product": product.id, "quantity": quantity} for product, quantity in lines],
                "discount_cents": discount,
                "total_cents": sum(prices) - discount,
            }
            self._orders[self._last_order] = order
            if len(self._orders) > MOST_ORDERS:
                self._orders.popitem(last=False)
            OPEN_ORDERS.set(len(self._orders))
        return order

    def _line(self, item: object) -> tuple[Product, int]:
        if not isinstance(item, dict):
            raise Refused(400, "an item is an object with product and quantity")
        quantity = item.get("quantity", 1)
        if isinstance(quantity, bool) or not isinstance(quantity, int) or not 1 <= quantity <= MOST_UNITS:
            raise Refused(400, f"a quantity is a number from 1 to {MOST_UNITS}")
        return self._product(str(item.get("product"))), quantity

    def _take(self, lines: Iterable[tuple[Product, int]]) -> None:
        """Take the units from the stock: all of them, or none and a refusal."""
        wanted: dict[int, int] = {}
        for product, quantity in lines:
            wanted[product.id] = wanted.get(product.id, 0) + quantity
        for product_id, quantity in wanted.items():
            if self._stock[product_id] < quantity:
                raise Refused(409, f"only {self._stock[product_id]} units of product {product_id} are left")
        for product_id, quantity in wanted.items():
            self._stock[product_id] -= quantity

    def _product(self, product_id: str) -> Product:
        return self.catalogue.products[_number(product_id, "product", len(self.catalogue.products)) - 1]

    def _lookup(self, words: Iterable[str]) -> list[Product]:
        ids = set.intersection(*(self._by_word.get(word, set()) for word in words))
        return [self.catalogue.products[product_id - 1] for product_id in sorted(ids)]


def _index(products: Iterable[Product]) -> dict[str, set[int]]:
    """Return for every word the ids of the products that have it."""
    index: dict[str, set[int]] = {}
    for product in products:
        for word in words_of(product):
            index.setdefault(word, set()).add(product.id)
    return index


def _page(found: Iterable[Any], query: Mapping[str, str]) -> dict[str, Any]:
    rows = list(found)
    number = _positive(query.get("page", "1"), "page")
    size = min(_positive(query.get("per_page", str(PER_PAGE)), "per_page"), 100)
    shown = rows[(number - 1) * size : number * size]
    return {
        "total": len(rows),
        "page": number,
        "items": [row if isinstance(row, dict) else asdict(row) for row in shown],
    }


def _positive(text: str, what: str) -> int:
    number = _whole(text)
    if number < 1:
        raise Refused(400, f"{what} is a number from 1, not {text[:20]!r}")
    return number


def _number(text: str, what: str, last: int) -> int:
    number = _whole(text)
    if not 1 <= number <= last:
        raise Refused(404, f"there is no {what} {text[:20]}")
    return number


def _whole(text: str) -> int:
    """Return the number that `text` writes in few enough digits; 0, which is no id and no page, for anything else."""
    return int(text) if len(text) <= MOST_DIGITS and text.isdecimal() else 0


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "the body is not a JSON object")
    return value


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise Refused(400, f"{what} is a list")
    return value
