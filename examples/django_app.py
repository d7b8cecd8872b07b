"""A Django project in one file, with the exporter in it: `python examples/django_app.py`, or any WSGI server."""

import sys

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path, re_path

import runtime_exporter

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for this example",  # noqa: S106 - signs nothing here
)
django.setup()


def order(_request: HttpRequest, number: int) -> HttpResponse:
    """One order."""
    return JsonResponse({"number": number})


def year(_request: HttpRequest, year: str) -> HttpResponse:
    """The orders of a year, as a stream: its duration ends with the last line."""
    return StreamingHttpResponse(f"order {number} of {year}\n" for number in range(1000))


def broken(_request: HttpRequest) -> HttpResponse:
    """Fail: http_server_exceptions_total counts it under the name of the exception."""
    raise LookupError("no such order")


orders = [path("<int:number>/", order), re_path(r"^year/(?P<year>[0-9]{4})/$", year), path("broken/", broken)]
urlpatterns = [path("orders/", include(orders))]

application = runtime_exporter.WSGIMiddleware(get_wsgi_application())

if __name__ == "__main__":
    from wsgiref.simple_server import make_server

    print("metrics:", runtime_exporter.start().url, file=sys.stderr)
    make_server("127.0.0.1", 8000, application).serve_forever()
