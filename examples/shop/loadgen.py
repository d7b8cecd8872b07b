"""Customers: `python -m shop.loadgen URL` sends a steady, realistic mix of requests to a shop on this machine.

Bounded in rate, connections and time. What the shop is too slow to answer is not sent later: there is no burst when a fault ends.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import ipaddress
import json
import random
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from shop import data

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = (
    "blue shirt",
    "oak desk",
    "steel kettle",
    "linen",
    "red",
    "leather wallet",
    "glass lamp",
    "travel",
    "purple tent",
)
UNITS = (6, 10)  # units of an order: enough for the CPU-heavy discount to be heavy
TIMEOUT = 10.0  # seconds for one answer
Request = tuple[str, str, "bytes | None"]  # method, path, body


def draw(chance: random.Random) -> Request:
    """Return the next request of some customer."""
    kind = chance.choices(("product", "search", "order", "list", "user", "orders"), (38, 20, 17, 15, 5, 5))[0]
    if kind == "product":
        return "GET", f"/products/{chance.randint(1, data.PRODUCTS)}", None
    if kind == "search":
        return "GET", f"/search?q={quote(chance.choice(WORDS))}", None
    if kind == "order":
        items = [{"product": chance.randint(1, data.PRODUCTS), "quantity": 1} for _ in range(chance.randint(*UNITS))]
        return "POST", "/orders", json.dumps({"user": chance.randint(1, data.USERS), "items": items}).encode()
    if kind == "list":
        return "GET", f"/products?page={chance.randint(1, 50)}", None
    return "GET", (f"/users/{chance.randint(1, data.USERS)}" if kind == "user" else "/orders"), None


class Customer:
    """One keep-alive connection that sends a request every `pause` seconds until `deadline` (monotonic) or `stop`."""

    def __init__(self, address: tuple[str, int], pause: float, deadline: float, chance: random.Random) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=TIMEOUT)
        self._pause = pause
        self._deadline = deadline
        self._chance = chance

    def run(self, stop: threading.Event) -> None:
        """Send until the time is up; a shop that is away is tried again with the next request."""
        due = time.monotonic() + self._pause * self._chance.random()
        while due < self._deadline and not stop.wait(max(0.0, due - time.monotonic())):
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._send(draw(self._chance))
            due = max(due + self._pause, time.monotonic())
        self._connection.close()

    def _send(self, request: Request) -> None:
        method, path, body = request
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            self._connection.getresponse().read()
        except BaseException:
            self._connection.close()
            raise


def run(
    url: str, *, rate: float, seconds: float, connections: int, seed: int = 1, stop: threading.Event | None = None
) -> None:
    """Send `rate` requests a second in all, over `connections`, for `seconds`. Raises ValueError for a URL that is not loopback."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    if not ipaddress.ip_address(socket.gethostbyname(host)).is_loopback:
        raise ValueError(f"load goes to this machine only, not to {host}")
    ending = stop or threading.Event()
    deadline = time.monotonic() + seconds
    threads = [
        threading.Thread(
            target=Customer((host, port), connections / rate, deadline, random.Random(seed + number)).run,
            args=(ending,),
            name=f"customer-{number}",
            daemon=True,
        )
        for number in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and send."""
    parser = argparse.ArgumentParser(prog="python -m shop.loadgen", description=__doc__)
    parser.add_argument("url", help="the shop, on this machine: http://127.0.0.1:8000")
    parser.add_argument("--rate", type=float, default=30.0, help="requests a second (default %(default)s, at most 200)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default %(default)s, at most 3600)")
    parser.add_argument("--connections", type=int, default=4, help="at the same time (default %(default)s, at most 32)")
    parser.add_argument("--seed", type=int, default=1, help="which customers come")
    asked = parser.parse_args(arguments)
    for name, most in (("rate", 200), ("seconds", 3600), ("connections", 32)):
        if not 0 < getattr(asked, name) <= most:
            parser.error(f"--{name} is more than 0 and at most {most}")
    try:
        run(asked.url, rate=asked.rate, seconds=asked.seconds, connections=asked.connections, seed=asked.seed)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
