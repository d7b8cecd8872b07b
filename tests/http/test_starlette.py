"""Starlette and FastAPI: templates with the prefixes of mounts and routers, whoever is included where."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Host, Mount, Route, Router

import fastapi_app
import starlette_app
from runtime_exporter.http import ASGIMiddleware


async def page(_request):
    return PlainTextResponse("x")


def statuses(app, *paths, method="GET"):
    async def main():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [(await client.request(method, path)).status_code for path in paths]

    return asyncio.run(main())


@pytest.fixture
def starlette(measured):
    def make(*routes, **options):
        options.setdefault("middleware", [Middleware(ASGIMiddleware, metrics=measured.metrics)])
        return Starlette(routes=[*routes], **options)

    return make


@pytest.fixture
def fastapi(measured):
    app = FastAPI()
    app.add_middleware(ASGIMiddleware, metrics=measured.metrics)
    return app


def test_a_route_has_the_template_of_its_mounts(starlette, measured):
    inner = Mount("/shops/{shop}", routes=[Mount("/orders", routes=[Route("/{number:int}", page)])])
    assert [200, 200] == statuses(starlette(inner, Route("/", page)), "/shops/acme/orders/7", "/")
    assert {("GET", "/shops/{shop}/orders/{number}", "200"): 1, ("GET", "/", "200"): 1} == measured.requests()


def test_an_application_that_is_mounted_twice_has_two_routes(starlette, measured):
    inner = Starlette(routes=[Route("/{number:int}", page)])
    app = starlette(Mount("/v1", inner), Mount("/v2/{shop}", inner), Mount("/wrapped", ASGIMiddleware(inner)))
    assert [200] * 5 == statuses(app, "/v1/1", "/v2/acme/2", "/wrapped/3", "/v2/acme/4", "/v1/5")
    assert {
        ("GET", "/v1/{number}", "200"): 2,
        ("GET", "/v2/{shop}/{number}", "200"): 2,
        ("GET", "/wrapped/{number}", "200"): 1,
    } == measured.requests()


def test_equal_routes_in_two_mounts_are_told_apart(starlette, measured):
    app = starlette(Mount("/a", routes=[Route("/x", page)]), Mount("/b", routes=[Route("/x", page)]))
    assert [200, 200] == statuses(app, "/a/x", "/b/x")
    assert {("GET", "/a/x", "200"): 1, ("GET", "/b/x", "200"): 1} == measured.requests()


def test_routes_that_stand_alone_and_within_a_mount_are_told_apart(starlette, measured):
    shared = [Route("/orders/{number:int}", page)]
    app = starlette(*shared, Mount("/v1", routes=shared), Mount("/{shop}/v1", routes=shared))
    assert [200] * 4 == statuses(app, "/orders/1", "/v1/orders/2", "/acme/v1/orders/3", "/v1/orders/4")
    assert {
        ("GET", "/orders/{number}", "200"): 1,
        ("GET", "/v1/orders/{number}", "200"): 2,
        ("GET", "/{shop}/v1/orders/{number}", "200"): 1,
    } == measured.requests()


def test_what_is_not_matched_within_a_mount_has_the_route_of_the_mount(starlette, measured):
    app = starlette(Mount("/shops/{shop}", routes=[Route("/x", page)]))
    assert [404, 404, 404] == statuses(app, "/shops/acme/secret", "/shops/evil/secret", "/secret")
    assert {("GET", "/shops/{shop}/{path}", "404"): 2, ("GET", "unmatched", "404"): 1} == measured.requests()


def test_a_method_that_a_route_does_not_take_has_the_route(starlette, measured):
    assert [405] == statuses(starlette(Route("/x/{y}", page)), "/x/1", method="DELETE")
    assert {("DELETE", "/x/{y}", "405"): 1} == measured.requests()


def test_a_mounted_foreign_application_has_the_route_of_its_mount(starlette, measured):
    assert [200] == statuses(starlette(Mount("/files", PlainTextResponse("x"))), "/files/etc/passwd")
    assert {("GET", "/files/{path}", "200"): 1} == measured.requests()


def test_a_host_leaves_no_trace_in_the_route(starlette, measured):
    app = starlette(Host("{tenant}", Router(routes=[Route("/x/{y}", page)])))
    assert [200] == statuses(app, "/x/1")
    assert {("GET", "/x/{y}", "200"): 1} == measured.requests()


def test_routes_that_are_added_later_are_found(starlette, measured):
    app = starlette(Mount("/a", routes=[Route("/x", page)]))
    statuses(app, "/a/x")

    async def another(_request):
        return PlainTextResponse("y")

    app.router.routes.append(Mount("/b", routes=[Route("/y", another)]))
    statuses(app, "/b/y")
    assert {("GET", "/a/x", "200"): 1, ("GET", "/b/y", "200"): 1} == measured.requests()


def test_a_root_path_of_the_server_is_no_label(measured, starlette):
    inner = Starlette(routes=[Route("/{number:int}", page)])
    app = starlette(Mount("/v1", inner), Mount("/v2", inner))

    async def proxied(scope, receive, send):
        await app({**scope, "root_path": "/secret", "path": "/secret" + scope["path"]}, receive, send)

    assert [200, 200] == statuses(proxied, "/v1/1", "/v2/2")
    assert {("GET", "/v1/{number}", "200"): 1, ("GET", "/v2/{number}", "200"): 1} == measured.requests()


def test_an_endpoint_without_a_route_in_the_scope_is_found(measured):
    """So it is with Starlette before 1.0."""
    app = Starlette(routes=[Mount("/a", routes=[Route("/x", page)])])

    async def forgetful(scope, receive, send):
        await app(scope, receive, send)
        scope.pop("route", None)

    async def late(scope, receive, send):  # the response ends after the route was forgotten
        messages = []

        async def hold(message):
            messages.append(message)

        await forgetful(scope, receive, hold)
        for message in messages:
            await send(message)

    assert [200] == statuses(ASGIMiddleware(late, measured.metrics), "/a/x")
    assert {("GET", "/a/x", "200"): 1} == measured.requests()


def test_a_stream_ends_with_its_last_part_and_background_tasks_come_after(starlette, measured):
    async def stream(_request):
        async def parts():
            for _ in range(3):
                measured.clock.sleep(1)
                yield b"x"

        async def later():
            measured.clock.sleep(100)

        return StreamingResponse(parts(), background=BackgroundTask(later))

    assert [200] == statuses(starlette(Route("/s", stream)), "/s")
    assert (3, 3) == (measured.seconds(), measured.sizes("response"))


def test_a_base_http_middleware_around_and_within_changes_nothing(measured, starlette):
    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            return await call_next(request)

    ours = Middleware(ASGIMiddleware, metrics=measured.metrics)
    app = starlette(
        Mount("/a", routes=[Route("/{x}", page)]), middleware=[Middleware(Passing), ours, Middleware(Passing)]
    )
    assert [200] == statuses(app, "/a/1")
    assert ({("GET", "/a/{x}", "200"): 1}, 0) == (measured.requests(), measured.active())


def test_fastapi_routes_have_the_prefixes_of_every_inclusion(fastapi, measured):
    items, outer = APIRouter(prefix="/items"), APIRouter()
    items.add_api_route("/{item}", lambda item: item)
    items.add_route("/items/plain/{name}", page)
    items.mount("/items/mounted/{shop}", Starlette(routes=[Route("/x/{y}", page)]))
    outer.include_router(items, prefix="/outer")
    fastapi.include_router(items, prefix="/v1")
    fastapi.include_router(items, prefix="/v2")
    fastapi.include_router(outer, prefix="/v3")
    paths = [
        f"{prefix}/items/{rest}"
        for prefix in ("/v1", "/v2", "/v3/outer")
        for rest in ("7", "plain/a", "mounted/acme/x/1")
    ]
    assert [200] * 9 == statuses(fastapi, *paths)
    expected = [
        ("GET", f"{prefix}/items/{rest}", "200")
        for prefix in ("/v1", "/v2", "/v3/outer")
        for rest in ("{item}", "plain/{name}", "mounted/{shop}/x/{y}")
    ]
    assert dict.fromkeys(expected, 1) == measured.requests()


def test_a_mounted_fastapi_has_the_template_of_its_mount(fastapi, measured):
    inner = FastAPI()
    router = APIRouter()
    router.add_api_route("/{item}", lambda item: item)
    inner.include_router(router, prefix="/items")
    fastapi.mount("/shops/{shop}", inner)
    assert [200, 200, 200] == statuses(fastapi, "/shops/acme/items/1", "/shops/evil/items/2", "/docs")
    assert {("GET", "/shops/{shop}/items/{item}", "200"): 2, ("GET", "/docs", "200"): 1} == measured.requests()


def test_what_fastapi_refuses_has_its_route(fastapi, measured):
    @fastapi.get("/items/{item}")
    def item(item: int) -> int:
        return item

    assert [422, 404] == statuses(fastapi, "/items/x", "/secret")
    assert {("GET", "/items/{item}", "422"): 1, ("GET", "unmatched", "404"): 1} == measured.requests()


def test_an_exception_is_counted_with_its_route_wherever_the_middleware_stands(measured):
    async def broken(_request):
        raise LookupError

    inside = Starlette(
        routes=[Route("/a/{b}", broken)], middleware=[Middleware(ASGIMiddleware, metrics=measured.metrics)]
    )
    outside = ASGIMiddleware(Starlette(routes=[Route("/a/{b}", broken)]), measured.metrics)
    assert [500, 500] == statuses(inside, "/a/1") + statuses(outside, "/a/1")
    assert {("GET", "/a/{b}", "500"): 2} == measured.requests()
    assert {("/a/{b}", "LookupError"): 2} == measured.exceptions()


def test_routes_made_for_each_request_do_not_pile_up(measured, monkeypatch):
    monkeypatch.setattr("runtime_exporter.http.starlette._ENTRIES_LIMIT", 100)

    async def app(scope, receive, send):
        scope["route"] = Route("/one", page)
        await PlainTextResponse("x")(scope, receive, send)

    app = ASGIMiddleware(app, measured.metrics)
    statuses(app, *["/x"] * 300)
    assert {("GET", "/one", "200"): 300} == measured.requests()
    assert len(app.templates._known) <= 110


def test_the_starlette_example_works(measured, monkeypatch):
    monkeypatch.setattr("runtime_exporter.http.metrics._Default.metrics", measured.metrics)
    paths = ("/shops/acme/orders/1", "/shops/acme/orders/export", "/shops/acme/orders/broken")
    assert [200, 200, 500] == statuses(starlette_app.app, *paths)
    assert {
        ("GET", "/shops/{shop}/orders/{number}", "200"): 1,
        ("GET", "/shops/{shop}/orders/export", "200"): 1,
        ("GET", "/shops/{shop}/orders/broken", "500"): 1,
    } == measured.requests()


def test_the_fastapi_example_works(measured, monkeypatch):
    monkeypatch.setattr("runtime_exporter.http.metrics._Default.metrics", measured.metrics)
    assert [200, 200, 500] == statuses(fastapi_app.app, "/v1/orders/1", "/v2/orders/1", "/v2/broken")
    assert {
        ("GET", "/v1/orders/{number}", "200"): 1,
        ("GET", "/v2/orders/{number}", "200"): 1,
        ("GET", "/v2/broken", "500"): 1,
    } == measured.requests()
