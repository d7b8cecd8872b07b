"""The same shop as a FastAPI application: `python -m shop --asgi`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

import runtime_exporter
from shop import health

if TYPE_CHECKING:
    from shop.service import Answer, Shop


def create_app(shop: Shop) -> FastAPI:
    """Return the application, without monitoring."""
    app = FastAPI(title="shop")
    _shop_routes(app, shop)
    _fault_routes(app, shop)
    return app


def monitor(app: FastAPI, shop: Shop) -> runtime_exporter.Exporter:
    """Measure every request of `app`, and serve /metrics and /health beside it, on a port of their own."""
    exporter = runtime_exporter.start()
    app.add_middleware(runtime_exporter.ASGIMiddleware)
    health.register(exporter.health, shop)
    return exporter


def _reply(answer: Answer) -> Response:
    payload, status = answer
    return JSONResponse(payload, status)


def _shop_routes(app: FastAPI, shop: Shop) -> None:
    @app.get("/products")
    def products(request: Request) -> Response:
        return _reply(shop.answer(shop.products, request.query_params))

    @app.get("/products/{product_id}")
    def product(product_id: str) -> Response:
        return _reply(shop.answer(shop.product, product_id))

    @app.get("/search")
    def search(request: Request) -> Response:
        return _reply(shop.answer(shop.search, request.query_params))

    @app.get("/users")
    def users(request: Request) -> Response:
        return _reply(shop.answer(shop.users, request.query_params))

    @app.get("/users/{user_id}")
    def user(user_id: str) -> Response:
        return _reply(shop.answer(shop.user, user_id))

    @app.get("/orders")
    def orders(request: Request) -> Response:
        return _reply(shop.answer(shop.orders, request.query_params))

    @app.get("/orders/{order_id}")
    def order(order_id: str) -> Response:
        return _reply(shop.answer(shop.order, order_id))

    @app.post("/orders")
    async def create_order(request: Request) -> Response:
        return _reply(await run_in_threadpool(shop.answer, shop.create_order, await request.body(), status=201))


def _fault_routes(app: FastAPI, shop: Shop) -> None:
    @app.get("/faults")
    def faults() -> Response:
        return _reply(shop.control(shop.faults.status))

    @app.post("/faults/reset")
    def reset_faults() -> Response:
        return _reply(shop.control(shop.reset_faults))

    @app.post("/faults/{name}")
    async def switch_fault(name: str, request: Request) -> Response:
        return _reply(shop.control(shop.switch_fault, name, await request.body()))
