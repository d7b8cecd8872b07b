"""A service that one of the peers instruments, as its README says: `python app.py SOURCE` prints the port of its loopback server.

/items/<id> answers, /broken answers 503, /slow takes 0.6 s, /metrics is what Prometheus scrapes.
"""

from __future__ import annotations

import socketserver
import sys
import time
import wsgiref.simple_server

PAUSE = 0.6


def flask_app():
    from flask import Flask

    app = Flask("shop")
    app.add_url_rule("/items/<number>", "items", lambda number: f"item {number}")
    app.add_url_rule("/broken", "broken", lambda: ("broken", 503))
    app.add_url_rule("/slow", "slow", lambda: time.sleep(PAUSE) or "slow")
    return app


def starlette_app():
    from fastapi import FastAPI, Response

    app = FastAPI()

    @app.get("/items/{number}")
    async def items(number: int):
        return {"item": number}

    @app.get("/broken")
    async def broken():
        return Response(status_code=503)

    @app.get("/slow")
    def slow():
        time.sleep(PAUSE)

    return app


def prometheus_flask_exporter():
    from prometheus_flask_exporter import PrometheusMetrics

    app = flask_app()
    PrometheusMetrics(app, group_by="url_rule")
    serve_wsgi(app)


def starlette_exporter():
    from starlette_exporter import PrometheusMiddleware, handle_metrics

    app = starlette_app()
    app.add_middleware(PrometheusMiddleware)
    app.add_route("/metrics", handle_metrics)
    serve_asgi(app)


def prometheus_fastapi_instrumentator():
    from prometheus_fastapi_instrumentator import Instrumentator

    app = starlette_app()
    Instrumentator().instrument(app).expose(app)
    serve_asgi(app)


def django_prometheus():
    import django
    from django.conf import settings

    around = "django_prometheus.middleware.Prometheus{}Middleware"
    settings.configure(
        SECRET_KEY="of a test",
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["127.0.0.1"],
        INSTALLED_APPS=["django_prometheus"],
        MIDDLEWARE=[around.format("Before"), around.format("After")],
    )
    django.setup()
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import include, path

    globals()["urlpatterns"] = [
        path("items/<int:number>", lambda _, number: HttpResponse(f"item {number}"), name="items"),
        path("broken", lambda _: HttpResponse(status=503), name="broken"),
        path("slow", lambda _: time.sleep(PAUSE) or HttpResponse("slow"), name="slow"),
        path("", include("django_prometheus.urls")),
    ]
    serve_wsgi(get_wsgi_application())


def opentelemetry():
    """Serve with the conventions that OTEL_SEMCONV_STABILITY_OPT_IN asks for."""
    from opentelemetry import metrics
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import make_wsgi_app
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
    app = flask_app()
    FlaskInstrumentor().instrument_app(app)
    serve_wsgi(DispatcherMiddleware(app, {"/metrics": make_wsgi_app()}))


def serve_asgi(app):
    import socket

    import uvicorn

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])


class Threaded(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


def serve_wsgi(app):
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, Threaded, Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


SOURCES = {
    "starlette_exporter": starlette_exporter,
    "prometheus_fastapi_instrumentator": prometheus_fastapi_instrumentator,
    "prometheus_flask_exporter": prometheus_flask_exporter,
    "django_prometheus": django_prometheus,
    "opentelemetry": opentelemetry,
    "opentelemetry_milliseconds": opentelemetry,
}

if __name__ == "__main__":
    SOURCES[sys.argv[1]]()
