"""time(), track_inprogress() and count_exceptions(), around a block and around a function."""

from __future__ import annotations

import functools
import inspect

import pytest

from metrics.conformance.reading import samples


def test_exceptions_are_counted_and_go_on(library):
    counter = library.Counter("c", "C.", registry=None)
    for raised, counted in [(ValueError, Exception), (KeyError, LookupError), (KeyError, (OSError, KeyError))]:
        with pytest.raises(raised), counter.count_exceptions(counted) as entered:
            raise raised
        assert entered is None
    with pytest.raises(RuntimeError), counter.count_exceptions():
        raise RuntimeError
    for raised, counted in [(KeyboardInterrupt, Exception), (ValueError, KeyError), (SystemExit, (OSError,))]:
        with pytest.raises(raised), counter.count_exceptions(counted):
            raise raised
    with counter.count_exceptions():
        pass
    assert samples(counter) == {("c_total",): 4.0}


def test_exceptions_of_a_function_are_counted(library):
    counter = library.Counter("c", "C.", ["a"], registry=None)

    @counter.labels("x").count_exceptions(ValueError)
    def fail(error):
        raise error

    for error in (ValueError(), KeyError()):
        with pytest.raises(type(error)):
            fail(error)
    assert samples(counter) == {("c_total", ("a", "x")): 1.0}


def test_in_progress_is_one_higher_inside_and_back_after_an_exception(library):
    gauge = library.Gauge("g", "G.", registry=None)
    seen = []

    @gauge.track_inprogress()
    def work(depth):
        seen.append(samples(gauge)["g",])
        if depth:
            work(depth - 1)
        raise KeyError

    with pytest.raises(KeyError):
        work(2)
    with gauge.track_inprogress() as entered:
        seen.append(samples(gauge)["g",])
    assert (entered, seen, samples(gauge)["g",]) == (None, [1.0, 2.0, 3.0, 1.0], 0.0)


@pytest.mark.parametrize("kind", ["Histogram", "Summary"])
def test_a_timer_observes_a_block_and_keeps_its_duration(library, kind):
    metric = getattr(library, kind)("m", "M.", registry=None)
    with metric.time() as timer:
        assert timer.duration is None
    with pytest.raises(KeyError), metric.time():
        raise KeyError
    found = samples(metric)
    assert (found["m_count",], 0 <= timer.duration <= found["m_sum",]) == (2.0, True)


def test_a_timer_sets_a_gauge(library):
    gauge = library.Gauge("g", "G.", registry=None)
    gauge.set(-1)
    with gauge.time() as timer:
        pass
    assert samples(gauge) == {("g",): timer.duration}


def test_the_labels_of_a_timer_can_be_chosen_inside(library):
    histogram = library.Histogram("h", "H.", ["a", "b"], registry=None)
    with histogram.time() as timer:
        timer.labels("x", b="y") if False else timer.labels(b="y", a="x")
    assert samples(histogram)["h_count", ("a", "x"), ("b", "y")] == 1.0
    with pytest.raises(ValueError, match="missing label values"), histogram.time():
        pass


def test_a_timed_function_is_timed_on_every_call_also_inside_itself(library):
    summary = library.Summary("s", "S.", registry=None)

    @summary.time()
    def factorial(number):
        return number * factorial(number - 1) if number else 1

    assert factorial(4) == 24
    assert samples(summary)["s_count",] == 5.0


@pytest.mark.parametrize("around", ["time", "track_inprogress", "count_exceptions"])
def test_a_decorated_function_keeps_its_name_its_words_its_signature_and_its_arguments(library, around):
    metrics = {
        "time": library.Histogram("h", "H.", registry=None).time,
        "track_inprogress": library.Gauge("g", "G.", registry=None).track_inprogress,
        "count_exceptions": library.Counter("c", "C.", registry=None).count_exceptions,
    }

    def pay(order: int, /, *rest: str, fast: bool = False, **more: object) -> tuple:
        """Pay for an order."""
        return order, rest, fast, more

    pay.mark = "kept"
    decorated = metrics[around]()(pay)
    assert (decorated.__name__, decorated.__doc__, decorated.mark) == ("pay", "Pay for an order.", "kept")
    assert (decorated.__module__, decorated.__qualname__, decorated.__wrapped__) == (
        pay.__module__,
        pay.__qualname__,
        pay,
    )
    assert inspect.signature(decorated) == inspect.signature(pay)
    assert decorated.__annotations__ == pay.__annotations__
    assert decorated(1, "a", fast=True, slow=2) == (1, ("a",), True, {"slow": 2})


def test_methods_static_and_class_methods_and_lambdas_can_be_decorated(library):
    summary = library.Summary("s", "S.", registry=None)

    class Shop:
        @summary.time()
        def pay(self, amount):
            return self, amount

        @staticmethod
        @summary.time()
        def price(amount):
            return amount * 2

        @classmethod
        @summary.time()
        def named(cls):
            return cls

    shop = Shop()
    assert (shop.pay(3), shop.price(4), Shop.named()) == ((shop, 3), 8, Shop)
    assert summary.time()(lambda number: number + 1)(1) == 2
    assert samples(summary)["s_count",] == 4.0


def test_decorators_can_be_stacked_and_reused(library):
    gauge = library.Gauge("g", "G.", registry=None)
    counter = library.Counter("c", "C.", registry=None)
    tracked, counted = gauge.track_inprogress(), counter.count_exceptions()

    @tracked
    @counted
    def first():
        return samples(gauge)["g",]

    @functools.lru_cache
    @counted
    def second():
        raise ValueError

    assert first() == 1.0
    for _ in range(2):
        with pytest.raises(ValueError):
            second()
    assert (samples(gauge)["g",], samples(counter)["c_total",]) == (0.0, 2.0)
