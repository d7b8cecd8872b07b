"""What programs share that ask the middleware what no server would, by plans that chance makes.

A plan is made of nothing but its number, so one that differs between two ways of counting is asked again by it alone.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import traceback
import warnings
from random import Random

from runtime_exporter.http import guard

ODD = 0.12
"""How often something is not as it should be."""

BUCKETS = (2**-8, 2**-4, 0.25, 1.0)


def chance(random, odd=ODD):
    """Return whether it is one of those times."""
    return random.random() < odd


class OddDict(dict):
    """What looks things up in a way of its own."""

    def __getitem__(self, key):
        if key == "status" and "told" in self:
            return dict.__getitem__(self, "told")
        return super().__getitem__(key)


class OddText(str):
    """Text that is no plain text."""

    __slots__ = ()


class Sly(str):
    """Text that says of itself that it is equal to nothing."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        raise LookupError("no comparing")

    __ne__ = __eq__


class OddFloat(float):
    """A float that is no plain float."""

    __slots__ = ()


class OddInt(int):
    """A number that is no plain number."""

    __slots__ = ()


class NoTruth:
    """What is neither true nor false."""

    def __bool__(self):
        raise LookupError("no truth")

    def __repr__(self):
        return "NoTruth()"


class Token:
    """What is to die with whatever holds it."""


NO_TIME = "no time"
STRANGE = (int, OddFloat, lambda now: now - 5.0, lambda _: float("inf"), ValueError)
"""What a clock may say instead, or raise: one of these in a plan, as whoever does not count any more has no time to read."""


class Clock:
    """Seconds, most of the time: binary fractions, so that a duration can be the bound of a bucket.

    They pass when `tick` says so, since one way looks at a clock more often than another where a request is not ordinary.
    """

    def __init__(self, random, strange):
        self.now = 1024.0
        self.said = self.now
        self.random = random
        self.odd = random.choice(strange) if chance(random, ODD * 2) else None

    def tick(self):
        random = self.random
        self.now += (
            2**-17 if chance(random, 0.97) else random.choice((0.0, BUCKETS[0] / 2, BUCKETS[0], BUCKETS[0] * 1.5, 0.4))
        )
        self.said = self.now
        if self.odd and chance(random):
            self.said = self.odd(self.now)

    def __call__(self):
        if isinstance(self.said, BaseException):
            raise type(self.said)(NO_TIME)
        return self.said


def shown(metrics):
    """Return what a scrape would show, but when exemplars were."""
    return [
        (place, name, *labels.values(), repr(value), exemplar and (exemplar.labels, exemplar.value))
        for place, families in enumerate(metrics)
        for family in families.families
        for metric in family.collect()
        for name, labels, value, _, exemplar, *_ in metric.samples
        if not name.endswith("_created") and (value or exemplar)
    ]


def described(error):
    """Return what a host sees of an exception, but the functions of ours that it came through."""
    frames = [
        frame.name for frame in traceback.extract_tb(error.__traceback__) if "runtime_exporter" not in frame.filename
    ]
    chain = []
    while error is not None and len(chain) < 5:
        # The text of a TypeError names functions, which are others in compiled code.
        text = "" if isinstance(error, (TypeError, AttributeError)) else str(error)[:60]
        chain.append((type(error).__name__, text))
        if (
            text == NO_TIME
        ):  # raised by a clock: what it came on top of is another exception where another way looked at it
            break
        error = error.__cause__ or error.__context__
    return chain, frames


def tell(plan):
    """Print what came of each of the plans that the command line asks for."""
    first, count = map(int, sys.argv[1:])
    warnings.simplefilter("ignore")  # of coroutines that nobody awaits
    sys.unraisablehook = lambda _: None
    logging.disable()
    gc.disable()  # when it would come depends on how much was allocated
    gc.freeze()
    for number in range(first, first + count):
        guard._logged.clear()
        sys.stdout.write(json.dumps([number, *plan(Random(number))], default=repr) + "\n")
        if number % 50 == 0:
            gc.collect()
