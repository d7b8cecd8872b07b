"""A Flask application with the exporter in it: `python examples/flask_app.py`, or `flask --app flask_app run`."""

from collections.abc import Iterator

from flask import Blueprint, Flask

import runtime_exporter

app = Flask(__name__)
app.wsgi_app = runtime_exporter.WSGIMiddleware(app.wsgi_app)

orders = Blueprint("orders", __name__, url_prefix="/orders")


@orders.get("/<int:number>")
def order(number: int) -> dict[str, int]:
    """One order."""
    return {"number": number}


@orders.get("/export")
def export() -> Iterator[bytes]:
    """All orders, as a stream: its duration ends with the last line."""
    return (b"order %d\n" % number for number in range(1000))


@orders.get("/broken")
def broken() -> str:
    """Fail: http_server_exceptions_total counts it under the name of the exception."""
    raise LookupError("no such order")


app.register_blueprint(orders)

if __name__ == "__main__":
    print("metrics:", runtime_exporter.start().url)
    app.run(port=8000)
