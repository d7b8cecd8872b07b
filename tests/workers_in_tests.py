"""What tests of several processes share."""

from __future__ import annotations

import os

from prometheus_client.parser import text_string_to_metric_families

from runtime_exporter import metrics
from runtime_exporter.metrics.cells import CellStore
from runtime_exporter.metrics.workers import slots, worker


class Fork:
    """A child that does something and then lives until the block ends."""

    def __init__(self, work):
        self._work = work

    def __enter__(self):
        done, said = os.pipe()
        waits, self._go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._work()
                os.write(said, b"x")
                os.close(self._go)
                os.read(waits, 1)
            finally:
                os._exit(0)
        os.close(said)
        os.close(waits)
        answer = os.read(done, 1)
        os.close(done)
        assert answer == b"x", "the child failed"
        return self

    def __exit__(self, *_):
        os.close(self._go)
        os.waitpid(self.pid, 0)


class Pretended:
    """A worker of a run directory that is no process of its own: its cells, its files and its lock are."""

    def __init__(self, directory):
        self.store = CellStore()
        self._slot = slots.take(directory)
        self.worker = worker.share(directory, self._slot, self.store)
        self.number = str(self.worker.number)

    def counter(self, name, labelnames=(), **options):
        return metrics.Counter(name, name, labelnames, registry=None, store=self.store, **options)

    def gauge(self, name, labelnames=(), **options):
        return metrics.Gauge(name, name, labelnames, registry=None, store=self.store, **options)

    def histogram(self, name, labelnames=(), **options):
        return metrics.Histogram(name, name, labelnames, registry=None, store=self.store, **options)

    def summary(self, name, labelnames=(), **options):
        return metrics.Summary(name, name, labelnames, registry=None, store=self.store, **options)

    def info(self, name, labelnames=(), **options):
        return metrics.Info(name, name, labelnames, registry=None, store=self.store, **options)

    def enum(self, name, labelnames=(), **options):
        return metrics.Enum(name, name, labelnames, registry=None, store=self.store, **options)

    def die(self):
        """End as after kill -9: the kernel lets go of the lock, and nothing else happens."""
        self.store.journal.close()
        self._slot.close()


def samples(merged):
    """The exposition as {name{labels}: value}."""
    return {
        name(sample): sample.value
        for family in text_string_to_metric_families(metrics.generate_latest(merged).decode())
        for sample in family.samples
    }


def name(sample):
    labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
    return f"{sample.name}{{{labels}}}" if labels else sample.name
