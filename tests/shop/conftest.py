"""A small shop of its own for every test."""

import pytest

from shop import data
from shop.service import Shop


@pytest.fixture
def shop():
    shop = Shop(data.generate(seed=7, products=300, users=20))
    yield shop
    shop.faults.reset()
