"""Samples of a metric or a registry as plain values, for comparisons."""

from __future__ import annotations


def samples(collector):
    """{(name, (label, value), …): value}; labels in the order of their names."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def exemplars(collector):
    """{(name, (label, value), …): (labels of the exemplar, its value)}."""
    return {
        (sample.name, *sorted(sample.labels.items())): (dict(sample.exemplar.labels), sample.exemplar.value)
        for family in collector.collect()
        for sample in family.samples
        if sample.exemplar
    }
