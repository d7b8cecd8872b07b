"""`python -m shop`, from the directory above: serve the shop on loopback."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING

from runtime_exporter.errors import ExporterError
from shop import data
from shop.faults import FaultError
from shop.service import Shop

if TYPE_CHECKING:
    from collections.abc import Sequence


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m shop", description="An e-commerce back end with switchable faults."
    )
    parser.add_argument("--address", default="127.0.0.1", help="where to listen (default %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="the shop's own port (default %(default)s)")
    parser.add_argument("--seed", type=int, default=2026, help="what products and users are made from")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="start with this fault on")
    parser.add_argument("--asgi", action="store_true", help="the FastAPI twin, under uvicorn")
    parser.add_argument("--bare", action="store_true", help="without the exporter, to measure what it costs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes."""
    asked = options(arguments)
    shop = Shop(data.generate(asked.seed))
    try:
        for name in asked.fault:
            shop.faults[name].switch(on=True)
    except FaultError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve = _serve_asgi if asked.asgi else _serve_wsgi
        serve(shop, asked)
    except KeyboardInterrupt:
        shop.faults.reset()
    except (OSError, ExporterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _serve_wsgi(shop: Shop, asked: argparse.Namespace) -> None:
    from werkzeug.serving import WSGIRequestHandler, make_server

    from shop import app

    class Handler(WSGIRequestHandler):
        """Quiet: the exporter counts requests. Connections stay open, so that a customer is one thread and not many short ones."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # an answer is two writes, and the second would wait for the first one's receipt

        def log(self, *_: object) -> None:
            """Say nothing."""

    application = app.create_app(shop)
    server = make_server(asked.address, asked.port, application, threaded=True, request_handler=Handler)
    if not asked.bare:
        app.monitor(application, shop)
    server.serve_forever()


def _serve_asgi(shop: Shop, asked: argparse.Namespace) -> None:
    import uvicorn

    from shop import asgi

    application = asgi.create_app(shop)
    if not asked.bare:
        asgi.monitor(application, shop)
    uvicorn.run(application, host=asked.address, port=asked.port, log_level="warning")


if __name__ == "__main__":
    sys.exit(main())
