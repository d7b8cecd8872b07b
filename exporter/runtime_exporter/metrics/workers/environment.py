"""Joins at import where the environment says so: a process that only counts, and starts nothing, is one of the workers.

As prometheus_client does with PROMETHEUS_MULTIPROC_DIR. That it cannot is one line in the log, no error: nobody called.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from runtime_exporter.errors import RunDirectoryError
from runtime_exporter.metrics.workers.worker import join

VARIABLE: Final = "RUNTIME_EXPORTER_RUN_DIRECTORY"


def join_from_environment() -> None:
    """Join the directory that the variable names, if it names one."""
    directory = os.environ.get(VARIABLE)
    if not directory:
        return
    try:
        join(Path(directory))
    except RunDirectoryError as error:
        logging.getLogger("runtime_exporter").warning("%s: %s", VARIABLE, error)
