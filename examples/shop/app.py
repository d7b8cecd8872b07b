"""The shop as a Flask application: the example to copy. Three lines add the exporter; they are marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, request

import runtime_exporter  # 1 of 3
from shop import health

if TYPE_CHECKING:
    from shop.service import Answer, Shop


def create_app(shop: Shop) -> Flask:
    """Return the application, without monitoring."""
    app = Flask("shop")
    _shop_routes(app, shop)
    _fault_routes(app, shop)
    return app


def monitor(app: Flask, shop: Shop) -> runtime_exporter.Exporter:
    """Measure every request of `app`, and serve /metrics and /health beside it, on a port of their own."""
    exporter = runtime_exporter.start()  # 2 of 3
    app.wsgi_app = runtime_exporter.WSGIMiddleware(app.wsgi_app)  # type: ignore[method-assign]  # 3 of 3
    health.register(exporter.health, shop)  # if you like: what healthy means for this service
    return exporter


def _shop_routes(app: Flask, shop: Shop) -> None:
    @app.get("/products")
    def products() -> Answer:
        return shop.answer(shop.products, request.args)

    @app.get("/products/<product_id>")
    def product(product_id: str) -> Answer:
        return shop.answer(shop.product, product_id)

    @app.get("/search")
    def search() -> Answer:
        return shop.answer(shop.search, request.args)

    @app.get("/users")
    def users() -> Answer:
        return shop.answer(shop.users, request.args)

    @app.get("/users/<user_id>")
    def user(user_id: str) -> Answer:
        return shop.answer(shop.user, user_id)

    @app.get("/orders")
    def orders() -> Answer:
        return shop.answer(shop.orders, request.args)

    @app.get("/orders/<order_id>")
    def order(order_id: str) -> Answer:
        return shop.answer(shop.order, order_id)

    @app.post("/orders")
    def create_order() -> Answer:
        return shop.answer(shop.create_order, request.get_data(), status=201)


def _fault_routes(app: Flask, shop: Shop) -> None:
    @app.get("/faults")
    def faults() -> Answer:
        return shop.control(shop.faults.status)

    @app.post("/faults/reset")
    def reset_faults() -> Answer:
        return shop.control(shop.reset_faults)

    @app.post("/faults/<name>")
    def switch_fault(name: str) -> Answer:
        return shop.control(shop.switch_fault, name, request.get_data())
