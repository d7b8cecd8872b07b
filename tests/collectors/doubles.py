"""Collectors to be supervised."""

import threading

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.metrics import Gauge


class Scripted(Collector):
    """A collector that does what it is told: counts its calls, raises, waits, uses CPU."""

    def __init__(self, name="scripted", interval=None):
        self.name, self.interval = name, interval
        self.gauge = Gauge(f"{name}_value", "A value.", registry=None)
        self.families = (self.gauge,)
        self.error = self.start_error = self.close_error = self.fork_error = None
        self.calls, self.log = 0, []
        self.act = lambda: None

    def update(self):
        self.calls += 1
        self.act()
        if self.error is not None:
            raise self.error
        self.gauge.set(self.calls)

    def start(self):
        self.log.append("start")
        if self.start_error:
            raise self.start_error

    def close(self):
        self.log.append("close")
        if self.close_error:
            raise self.close_error

    def forked(self):
        self.log.append("forked")
        if self.fork_error:
            raise self.fork_error


class Hanging(Scripted):
    """A collector whose update does not return until it is released."""

    def __init__(self, name="hanging", interval=1.0):
        super().__init__(name, interval)
        self.entered, self.release = threading.Event(), threading.Event()
        self.act = self._hang

    def _hang(self):
        self.entered.set()
        self.release.wait(60)
