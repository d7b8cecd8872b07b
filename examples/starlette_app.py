"""A Starlette application with the exporter in it: `uvicorn --app-dir examples starlette_app:app`."""

from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

import runtime_exporter


async def order(request: Request) -> Response:
    """One order."""
    return JSONResponse({"number": request.path_params["number"]})


async def export(_request: Request) -> Response:
    """All orders, as a stream: its duration ends with the last line."""

    async def lines() -> AsyncIterator[bytes]:
        for number in range(1000):
            yield b"order %d\n" % number

    return StreamingResponse(lines())


async def broken(_request: Request) -> Response:
    """Fail: http_server_exceptions_total counts it under the name of the exception."""
    raise LookupError("no such order")


async def news(websocket: WebSocket) -> None:
    """An open WebSocket is one of http_server_active_requests."""
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


orders = [Route("/{number:int}", order), Route("/export", export), Route("/broken", broken)]
app = Starlette(
    routes=[Mount("/shops/{shop}/orders", routes=orders), WebSocketRoute("/news", news)],
    middleware=[Middleware(runtime_exporter.ASGIMiddleware)],
)

if __name__ == "__main__":
    import uvicorn

    print("metrics:", runtime_exporter.start().url)
    uvicorn.run(app, port=8000)
