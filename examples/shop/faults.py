"""Six faults that real services have, each switchable while the shop runs, each bounded so that it never hurts the machine.

Every fault is the wrong way to do something that the shop otherwise does right; switched off, what it left behind goes away.
"""

from __future__ import annotations

import gc
import itertools
import random
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shop.data import Product

WORD = re.compile(r"\w+")


class FaultError(ValueError):
    """A fault was asked for something that it does not have; the text says what would be right."""


@dataclass(frozen=True)
class Bounds:
    """The range of a fault's parameter, and the value it has when nothing is said."""

    default: float
    low: float
    high: float


class Fault:
    """Something that can be switched on and off. `settings` holds its parameters, always within their bounds."""

    name: ClassVar[str]
    parameters: ClassVar[Mapping[str, Bounds]]

    def __init__(self) -> None:
        self.on = False
        self.settings = {name: bounds.default for name, bounds in self.parameters.items()}

    def switch(self, on: bool, settings: Mapping[str, object] | None = None) -> None:
        """Turn the fault on, with `settings` over its defaults, or off, which also ends its effects. Raises FaultError."""
        chosen = {name: bounds.default for name, bounds in self.parameters.items()}
        chosen.update({name: self._checked(name, value) for name, value in (settings or {}).items()})
        self.settings = chosen
        self.on = on
        if not on:
            self.release()

    def release(self) -> None:
        """Undo what the fault left behind; nothing for most."""

    def amount(self) -> int:
        """Return how much the fault holds on to now (entries, threads); 0 for those that hold nothing."""
        return 0

    def _checked(self, name: str, value: object) -> float:
        bounds = self.parameters.get(name)
        if bounds is None:
            known = ", ".join(self.parameters)
            raise FaultError(f"{self.name} has no parameter {name!r}; it has {known}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not bounds.low <= value <= bounds.high:
            raise FaultError(f"{name} of {self.name} is a number from {bounds.low:g} to {bounds.high:g}, not {value!r}")
        return value


class SlowSearch(Fault):
    """A search without an index: every row is read, page by page from a slow disk, and taken apart into words."""

    name = "slow-search"
    parameters: ClassVar = {"page_wait": Bounds(0.05, 0.0, 0.5)}  # seconds for one page of rows
    page_rows = 1_000

    def read_every_row(self, products: Sequence[Product], words: frozenset[str]) -> Iterator[Product]:
        """Yield the products that have all `words` in their name or description."""
        for start in range(0, len(products), self.page_rows):
            time.sleep(self.settings["page_wait"])
            for product in products[start : start + self.page_rows]:
                if words <= words_of(product):
                    yield product


class MemoryLeak(Fault):
    """A cache of rendered pages whose keys never repeat and whose entries never leave."""

    name = "memory-leak"
    parameters: ClassVar = {"entry_kilobytes": Bounds(400, 1, 2_000)}
    most_bytes = 400_000_000

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[str, bytes] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def remember(self, key: str, page: bytes) -> None:
        """Keep a rendered page, as large as real ones are, under a key that nobody asks for again."""
        size = int(self.settings["entry_kilobytes"]) * 1_000
        with self._lock:
            if not self.on or self._bytes + size > self.most_bytes:
                return
            # Written, not only reserved: memory that nobody touched is not resident.
            self._entries[f"{key}#{len(self._entries)}"] = page * (size // len(page) + 1)
            self._bytes += size

    def release(self) -> None:
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def amount(self) -> int:
        return len(self._entries)


class ThreadLeak(Fault):
    """A worker thread per order that waits for a confirmation which never comes."""

    name = "thread-leak"
    parameters: ClassVar = {"per_order": Bounds(1, 1, 10)}
    most_threads = 300

    def __init__(self) -> None:
        super().__init__()
        self._confirmed = threading.Event()
        self._workers: list[threading.Thread] = []
        self._lock = threading.Lock()

    def await_confirmation(self, order_id: int) -> None:
        """Start the workers that wait for the warehouse to confirm an order."""
        with self._lock:
            if not self.on:
                return
            room = self.most_threads - len(self._workers)
            for _ in range(min(room, int(self.settings["per_order"]))):
                worker = threading.Thread(target=self._confirmed.wait, name=f"order-worker-{order_id}", daemon=True)
                worker.start()
                self._workers.append(worker)

    def release(self) -> None:
        with self._lock:
            self._confirmed.set()
            self._confirmed, self._workers = threading.Event(), []

    def amount(self) -> int:
        return len(self._workers)


class CpuHeavyOrder(Fault):
    """The discount of an order by trying every order of its units, where sorting them once is enough."""

    name = "cpu-heavy-order"
    parameters: ClassVar = {"units": Bounds(8, 3, 9)}  # 8! = 40,320 tries are about 0.1 s of CPU, 9! nine times that

    def discount(self, prices: Sequence[int]) -> int:
        """Return the "three for two" discount in cents, as `three_for_two` does, for far more CPU."""
        ranked = sorted(prices, reverse=True)
        tried = int(self.settings["units"])
        best = self.try_every_permutation(ranked[:tried])
        return best + sum(ranked[position] for position in range(2, len(ranked), 3) if position >= tried)

    @staticmethod
    def try_every_permutation(prices: Sequence[int]) -> int:
        """Return the largest discount that these prices can have in any order."""
        best = 0
        for order in itertools.permutations(prices):
            saved = 0
            for start in range(0, len(order) - 2, 3):
                saved += min(order[start : start + 3])
            best = max(best, saved)
        return best


class GarbageCycles(Fault):
    """A request that builds a graph whose nodes know each other: only the garbage collector can free it."""

    name = "garbage-cycles"
    parameters: ClassVar = {"nodes": Bounds(20_000, 100, 100_000)}

    def litter(self) -> None:
        """Build the graph and drop it."""
        before: dict[str, object] = {}
        for _ in range(int(self.settings["nodes"])):
            node: dict[str, object] = {"before": before}
            before["after"] = node
            before = node

    def release(self) -> None:
        gc.collect()


class Errors(Fault):
    """A payment provider that is down: a share of the requests is answered with 503."""

    name = "errors"
    parameters: ClassVar = {"rate": Bounds(0.3, 0.0, 1.0)}

    def __init__(self, seed: int = 2026) -> None:
        super().__init__()
        self._chance = random.Random(seed)

    def strikes(self) -> bool:
        """Return whether this request fails."""
        return self.on and self._chance.random() < self.settings["rate"]


class Faults:
    """The six faults of one shop, by attribute for the shop's code and by name for who switches them."""

    def __init__(self) -> None:
        self.slow_search = SlowSearch()
        self.memory_leak = MemoryLeak()
        self.thread_leak = ThreadLeak()
        self.cpu_heavy_order = CpuHeavyOrder()
        self.garbage_cycles = GarbageCycles()
        self.errors = Errors()
        self._by_name: dict[str, Fault] = {fault.name: fault for fault in vars(self).values()}

    def __getitem__(self, name: str) -> Fault:
        try:
            return self._by_name[name]
        except KeyError:
            raise FaultError(f"there is no fault {name!r}; there are {', '.join(self._by_name)}") from None

    def active(self) -> list[str]:
        """Return the names of the faults that are on."""
        return [name for name, fault in self._by_name.items() if fault.on]

    def status(self) -> dict[str, dict[str, object]]:
        """Return every fault with whether it is on, its parameters and what it holds."""
        return {
            name: {"on": fault.on, "amount": fault.amount(), **fault.settings} for name, fault in self._by_name.items()
        }

    def reset(self) -> None:
        """Switch everything off."""
        for fault in self._by_name.values():
            fault.switch(on=False)


def words_of(product: Product) -> frozenset[str]:
    """Return the words by which a product is found."""
    return frozenset(WORD.findall(f"{product.name} {product.description}".casefold()))


def three_for_two(prices: Sequence[int]) -> int:
    """Return what an order saves, in cents: of every three units, dearest first, the third is free."""
    return sum(sorted(prices, reverse=True)[2::3])
