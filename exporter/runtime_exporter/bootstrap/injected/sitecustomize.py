"""Run by Python before a program that `runtime-exporter run` started: lets the exporter in, then steps out of the way."""  # noqa: INP001 - found by name, on a path

import importlib.machinery
import importlib.util
import os
import sys


def _let_in() -> None:
    try:
        from runtime_exporter.bootstrap import autostart

        autostart.begin()
    except Exception as error:  # noqa: BLE001 - the program runs in any case
        reason = f"{type(error).__name__}: {error}"
        print(f"runtime-exporter: not started in {sys.executable}: {reason}", file=sys.stderr)  # noqa: T201 - no log yet


def _run_the_next() -> None:
    """Run the sitecustomize that this one stands before, if there is one, as if this one were not there."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - no pathlib in everybody's start
    sys.path[:] = [path for path in sys.path if path != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_let_in()
_run_the_next()
