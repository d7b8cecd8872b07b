"""Runs one workload and prints the stacks of every call in it as JSON, so that rules are tested on frames that libraries really have.

`python workloads.py NAME`. Not by the clock: sys.setprofile reports each call, of Python and of C, and the stack is walked there. It needs
nothing but the workload's own library, so that other interpreters and environments can run it, too.
"""

import collections
import json
import sys
import threading


def walk(frame):
    stack = []
    while frame is not None:
        code = frame.f_code
        name = f"{frame.f_globals.get('__name__')}:{getattr(code, 'co_qualname', code.co_name)}"
        stack.append((name, code.co_filename, frame.f_lineno or 0, code.co_firstlineno))
        frame = frame.f_back
    return tuple(stack)


def stacks(workload, repetitions):
    seen = collections.Counter()

    def profiled(frame, event, argument):
        if event in {"call", "c_call"}:
            seen[walk(frame)] += 1

    workload()  # caches and lazy imports
    threading.setprofile(profiled)  # before the others: it is for threads that are made meanwhile
    sys.setprofile(profiled)
    try:
        for _ in range(repetitions):
            workload()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return [(stack, count) for stack, count in seen.items() if any(frame[0].endswith("handle") for frame in stack)]


def regex():
    import re

    def handle():
        re.purge()
        re.compile(r"(a|b)*c{1,3}[x-z]+(?P<number>\d+)")

    return handle


def regex_precompiled():
    import re

    pattern = re.compile(r"(a|b)*c")

    def handle():
        [pattern.match("abc") for _ in range(50)]

    return handle


def json_text():
    data = [{"a": number, "b": {"c": [1, 2, 3]}} for number in range(20)]

    def handle():
        json.loads(json.dumps(data, indent=1))

    return handle


def json_default():
    def encode(value):
        return sum(len(str(number)) for number in range(300))

    def handle():
        json.dumps([object()], default=encode)

    return handle


def logged():
    import io
    import logging

    log = logging.getLogger("workload")
    log.propagate = False
    log.addHandler(logging.StreamHandler(io.StringIO()))

    def handle():
        log.warning("an order of %s", 5)

    return handle


def logged_below_the_level():
    import logging

    log = logging.getLogger("workload.quiet")
    log.setLevel("ERROR")

    def handle():
        [log.debug("an order of %s", number) for number in range(50)]

    return handle


def tracebacks():
    import traceback

    def handle():
        try:
            raise ValueError
        except ValueError:
            traceback.format_exc()

    return handle


def exceptions_unformatted():
    def fail():
        raise ValueError

    def handle():
        for _ in range(50):
            try:
                fail()
            except ValueError:
                continue

    return handle


def imports():
    def handle():
        sys.modules.pop("colorsys", None)
        import colorsys  # noqa: F401

    return handle


def tls_context():
    import ssl

    def handle():
        ssl.create_default_context()

    return handle


def httpx_client():
    import httpx

    def handle():
        httpx.Client().close()

    return handle


def urllib3_context():
    from urllib3.util.ssl_ import create_urllib3_context

    def handle():
        create_urllib3_context()

    return handle


def name_lookup():
    import socket

    def handle():
        socket.getaddrinfo("127.0.0.1", 80)

    return handle


def deep_copy():
    import copy

    data = [{"a": [number]} for number in range(20)]

    def handle():
        copy.deepcopy(data)

    return handle


def shallow_copy():
    import copy

    data = [{"a": [number]} for number in range(20)]

    def handle():
        [copy.copy(data) for _ in range(20)]

    return handle


def date_format():
    from datetime import datetime

    def handle():
        datetime.strptime("2026-11-22 10:00", "%Y-%m-%d %H:%M")

    return handle


def date_iso():
    from datetime import datetime

    def handle():
        [datetime.fromisoformat("2026-11-22T10:00:00") for _ in range(20)]

    return handle


def django_models(debug=False):
    import django
    from django.conf import settings

    settings.configure(
        DEBUG=debug, DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}, USE_TZ=True
    )
    django.setup()
    from django.db import connection, models

    class Order(models.Model):
        title = models.TextField()
        amount = models.IntegerField()

        class Meta:
            app_label = "shop"

        def __str__(self):
            return self.title

    with connection.schema_editor() as editor:
        editor.create_model(Order)
    Order.objects.bulk_create(Order(title=str(number), amount=number) for number in range(300))
    return Order


def django_objects():
    order = django_models()

    def handle():
        list(order.objects.all())

    return handle


def django_query_only():
    order = django_models()

    def handle():
        order.objects.filter(amount__gt=1).exclude(title="").count()

    return handle


def django_debug():
    order = django_models(debug=True)

    def handle():
        order.objects.count()

    return handle


def django_template_compiled():
    from django.conf import settings

    settings.configure(TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
    import django

    django.setup()
    from django.template import Context, Template

    def handle():
        Template("{% for a in b %}{{ a }}{% endfor %}").render(Context({"b": range(3)}))

    return handle


def jinja_compiled():
    import jinja2

    def handle():
        jinja2.Environment(autoescape=True).from_string("{% for a in b %}{{ a }}{% endfor %}").render(b=range(3))

    return handle


def jinja_rendered():
    import jinja2

    template = jinja2.Environment(autoescape=True).from_string("{% for a in b %}{{ a }}{% endfor %}")

    def handle():
        template.render(b=range(100))

    return handle


def pydantic_models():
    import pydantic

    class Order(pydantic.BaseModel):
        title: str
        amount: int

    adapter = pydantic.TypeAdapter(list[Order])

    def handle():
        [Order(title="a", amount=1) for _ in range(20)]
        Order.model_validate({"title": "a", "amount": 1})
        adapter.validate_python([{"title": "a", "amount": 1}])

    return handle


def pydantic_unvalidated():
    import pydantic

    class Order(pydantic.BaseModel):
        title: str

    def handle():
        [Order.model_construct(title="a") for _ in range(20)]

    return handle


def flask_debugger():
    import flask
    from werkzeug.debug import DebuggedApplication

    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=lambda: "ok")
    client = DebuggedApplication(app, evalex=False)

    def handle():
        from werkzeug.test import Client

        Client(client).get("/").close()

    return handle


def flask_plain():
    import flask
    from werkzeug.test import Client

    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=lambda: "ok")

    def handle():
        Client(app).get("/").close()

    return handle


def metrics_client():
    import prometheus_client

    counter = prometheus_client.Counter("orders", "Orders.", ["kind"], registry=None)

    def handle():
        [counter.labels("a").inc() for _ in range(50)]

    return handle


def wrapped_by_an_observer():
    from runtime_exporter import WSGIMiddleware

    def app(environ, start_response):
        sum(len(str(number)) for number in range(3000))
        start_response("200 OK", [])
        return [b""]

    wrapped = WSGIMiddleware(app)

    def handle():
        list(wrapped({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None))

    return handle


def logged_as_json():
    import io
    import logging

    class Formatter(logging.Formatter):
        def format(self, record):
            return json.dumps({"message": record.getMessage(), "fields": list(range(50))}, indent=1)

    log = logging.getLogger("workload.json")
    log.propagate = False
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(Formatter())
    log.addHandler(handler)

    def handle():
        log.warning("an order of %s", 5)

    return handle


def plain():
    def handle():
        sum(len(str(number)) for number in range(100))

    return handle


def loop_computes():
    import asyncio

    async def handle():
        sum(len(str(number)) for number in range(300))

    return lambda: asyncio.run(handle())


def loop_dumps():
    import asyncio

    data = [{"a": number} for number in range(100)]

    async def handle():
        json.dumps(data, indent=1)

    return lambda: asyncio.run(handle())


def loop_sleeps():
    import asyncio
    import time

    async def handle():
        for _ in range(100):
            time.sleep(0)  # noqa: ASYNC251 - the point

    return lambda: asyncio.run(handle())


def pandas_rows():
    import pandas as pd

    table = pd.DataFrame({"a": range(20), "b": range(20)})

    def handle():
        [row for _, row in table.iterrows()]
        table.apply(lambda row: row.a, axis=1)

    return handle


def pandas_columns():
    import pandas as pd

    table = pd.DataFrame({"a": range(20), "b": range(20)})

    def handle():
        (table.a + table.b).sum()

    return handle


def sqlalchemy_session():
    from sqlalchemy import Column, Integer, String, create_engine
    from sqlalchemy.orm import Session, declarative_base

    base = declarative_base()

    class Order(base):
        __tablename__ = "orders"
        id = Column(Integer, primary_key=True)
        title = Column(String)

    engine = create_engine("sqlite://")
    base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Order(id=number, title="a") for number in range(300)])
        session.commit()
    return engine, Order, Session


def sqlalchemy_objects():
    engine, order, make = sqlalchemy_session()

    def handle():
        with make(engine) as session:
            session.query(order).all()

    return handle


def sqlalchemy_columns():
    engine, order, make = sqlalchemy_session()

    def handle():
        with make(engine) as session:
            session.query(order.id, order.title).all()

    return handle


def loguru_logged():
    import io

    from loguru import logger

    logger.remove()
    logger.add(io.StringIO())

    def handle():
        logger.info("an order of {}", 5)

    return handle


def boto3_client():
    import boto3

    def handle():
        boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")

    return handle


def dateutil_parsed():
    from dateutil import parser

    def handle():
        parser.parse("2026-11-22 10:00")

    return handle


def spans():
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("shop")

    def handle():
        with tracer.start_as_current_span("order") as span:
            span.set_attribute("kind", "a")

    return handle


if __name__ == "__main__":
    name = sys.argv[1]
    json.dump(stacks(globals()[name](), int(sys.argv[2]) if len(sys.argv) > 2 else 1), sys.stdout)
