"""Several processes that serve together: each counts in files of its own, and any of them answers for all.

A process that calls `join` gets a number, the value of the label `worker`, and its cells lie from then on in a file
of the run directory. `Merged` reads the files of all. Nothing on the way of a request knows of it.

    slots.py        who is alive: numbers, locks, the names of the files
    log.py          records that a reader can trust, however the writer ended; logfile.py: a file of them
    definition.py   what a family is, apart from its series
    mapping.py      lays a file under cells that are in use; cellfile.py: that of a process
    journal.py      what a process says of itself in both
    life.py         what another process reads of it
    retired.py      the numbers of those that ended, in one file
    folding.py      puts them there
    plan.py         which series of which process goes where
    shape.py        many series put together at once; observations.py: those that observe
    merging.py      many processes as one
    ending.py       what a process says of its end
    exemplars.py    what no cell can hold
    beginning.py    what becomes of cells meanwhile
    worker.py       joining, forking, leaving
"""

from runtime_exporter.errors import RunDirectoryError
from runtime_exporter.metrics.workers.merging import Merged
from runtime_exporter.metrics.workers.worker import Worker, current, evaluate, forked, join

__all__ = ["Merged", "RunDirectoryError", "Worker", "current", "evaluate", "forked", "join"]
