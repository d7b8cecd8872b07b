"""The shop's data, generated from a seed: the same seed gives the same shop on every machine."""

from __future__ import annotations

import random
from dataclasses import dataclass

PRODUCTS = 10_000
USERS = 1_000

_COLOURS = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "silver", "white", "yellow")
_MATERIALS = ("bamboo", "canvas", "ceramic", "cotton", "glass", "leather", "linen", "oak", "steel", "titanium", "wool")
_THINGS = {
    "clothing": ("belt", "coat", "hat", "jacket", "scarf", "shirt", "socks", "sweater"),
    "garden": ("bench", "hammock", "lantern", "planter", "rake", "spade"),
    "home": ("blanket", "chair", "clock", "curtain", "desk", "lamp", "mirror", "shelf"),
    "kitchen": ("bowl", "grinder", "kettle", "knife", "mug", "pan", "plate", "teapot"),
    "travel": ("backpack", "bottle", "suitcase", "tent", "umbrella", "wallet"),
}
_CITIES = ("Bergen", "Gdansk", "Ghent", "Leipzig", "Lyon", "Porto", "Tartu", "Turin", "Uppsala", "Valencia")
_NAMES = ("Ada", "Bela", "Chidi", "Dana", "Emre", "Farah", "Goran", "Hana", "Ines", "Jonas", "Kaori", "Lena", "Mateo")
_SURNAMES = (
    "Almeida",
    "Berg",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Horvat",
    "Ivanova",
    "Jansen",
    "Kovacs",
    "Lind",
)


@dataclass(frozen=True, slots=True)
class Product:
    """Something on sale. Money is in cents: sums of it must be exact."""

    id: int
    name: str
    category: str
    description: str
    price_cents: int
    stock: int


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who orders."""

    id: int
    name: str
    email: str
    city: str


@dataclass(frozen=True)
class Catalogue:
    """Everything the shop starts with; ids are 1, 2, 3, … in order."""

    products: tuple[Product, ...]
    users: tuple[User, ...]


def generate(seed: int = 2026, products: int = PRODUCTS, users: int = USERS) -> Catalogue:
    """Return the catalogue that belongs to `seed`."""
    chance = random.Random(seed)
    return Catalogue(
        products=tuple(_product(number, chance) for number in range(1, products + 1)),
        users=tuple(_user(number, chance) for number in range(1, users + 1)),
    )


def _product(number: int, chance: random.Random) -> Product:
    category = chance.choice(tuple(_THINGS))
    thing, colour, material = chance.choice(_THINGS[category]), chance.choice(_COLOURS), chance.choice(_MATERIALS)
    return Product(
        id=number,
        name=f"{colour} {material} {thing}",
        category=category,
        description=f"A {colour} {thing} of {material}, made in {chance.choice(_CITIES)}; model {number:05d}.",
        price_cents=chance.randrange(499, 49_999),
        stock=chance.randrange(100, 2_000),
    )


def _user(number: int, chance: random.Random) -> User:
    name, surname = chance.choice(_NAMES), chance.choice(_SURNAMES)
    return User(number, f"{name} {surname}", f"{name}.{surname}.{number}@shop.example".lower(), chance.choice(_CITIES))
