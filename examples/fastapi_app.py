"""A FastAPI application with the exporter in it: `uvicorn --app-dir examples fastapi_app:app`."""

from fastapi import APIRouter, FastAPI

import runtime_exporter

app = FastAPI()
app.add_middleware(runtime_exporter.ASGIMiddleware)

orders = APIRouter()


@orders.get("/orders/{number}")
def order(number: int) -> dict[str, int]:
    """One order."""
    return {"number": number}


@orders.get("/broken")
def broken() -> None:
    """Fail: http_server_exceptions_total counts it under the name of the exception."""
    raise LookupError("no such order")


# The same router twice: the series of the two versions are two.
app.include_router(orders, prefix="/v1")
app.include_router(orders, prefix="/v2")

if __name__ == "__main__":
    import uvicorn

    print("metrics:", runtime_exporter.start().url)
    uvicorn.run(app, port=8000)
