"""The Flask application and the FastAPI twin give the same answers to the same requests."""

import json
import warnings

import pytest

from shop import app, asgi, data
from shop.service import Shop

REQUESTS = [
    ("GET", "/products", None),
    ("GET", "/products?page=3&per_page=5&category=home", None),
    ("GET", "/products?page=x", None),
    ("GET", "/products/7", None),
    ("GET", "/products/99999", None),
    ("GET", "/products/seven", None),
    ("GET", "/search?q=blue+shirt", None),
    ("GET", "/search?q=Stahl%20%C3%A4", None),
    ("GET", "/search", None),
    ("GET", "/users?per_page=2", None),
    ("GET", "/users/3", None),
    ("GET", "/orders", None),
    ("POST", "/orders", {"user": 3, "items": [{"product": 5, "quantity": 2}, {"product": 9}]}),
    ("POST", "/orders", {"user": 3, "items": "none"}),
    ("GET", "/orders/1", None),
    ("GET", "/orders/77", None),
    ("GET", "/orders?per_page=1", None),
    ("GET", "/faults", None),
    ("POST", "/faults/errors", {"on": True, "rate": 1}),
    ("GET", "/products/7", None),
    ("POST", "/faults/errors", {"on": "maybe"}),
    ("POST", "/faults/rain", {"on": True}),
    ("POST", "/faults/reset", None),
    ("GET", "/products/7", None),
]


def flask_answers(shop):
    client = app.create_app(shop).test_client()
    for method, path, body in REQUESTS:
        reply = client.open(path, method=method, data=json.dumps(body) if body else None)
        yield reply.status_code, reply.get_json()


def fastapi_answers(shop):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Starlette says of its own test client is not ours
        from starlette.testclient import TestClient
    with TestClient(asgi.create_app(shop)) as client:
        for method, path, body in REQUESTS:
            reply = client.request(method, path, content=json.dumps(body) if body else None)
            yield reply.status_code, reply.json()


@pytest.fixture(scope="module")
def answers():
    both = []
    for ask in (flask_answers, fastapi_answers):
        shop = Shop(data.generate(seed=7, products=300, users=20))
        both.append(list(ask(shop)))
    return both


def test_both_answer_the_same(answers):
    flask, fastapi = answers
    assert flask == fastapi


def test_the_answers_are_what_the_requests_deserve(answers):
    statuses = [status for status, _ in answers[0]]
    assert [
        200,
        200,
        400,
        200,
        404,
        404,
        200,
        200,
        400,
        200,
        200,
        200,
        201,
        400,
        200,
        404,
        200,
        200,
        200,
        503,
        400,
        400,
        200,
        200,
    ] == statuses
