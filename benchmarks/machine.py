"""Where figures were taken: machine, interpreter, versions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PEERS_FILE = Path(__file__).with_name("peers.txt")
BESIDE = ("django", "fastapi", "flask", "gunicorn", "starlette", "uvicorn", "uwsgi")
"""What peers and we are measured on; of the peers themselves, whatever peers.txt names, and prometheus_client."""


def facts() -> dict[str, str]:
    """Return what is to be known of the machine and the interpreter, in words."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{_distribution()}, Linux {platform.release()}, {platform.machine()}"
        if sys.platform == "linux"
        else platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}, {_build()}",
        "commit": _commit(),
    }


def versions() -> dict[str, str]:
    """Return the version of every peer that is here, and of what they are measured on, by name."""
    wanted = {"prometheus-client", "psutil", *BESIDE, *_pinned()}
    found = {_plain(one.name): one.version for path in (peers_path(), None) for one in _installed(path)}
    return {name: found[name] for name in sorted(wanted) if name in found}


def peers_path() -> str:
    """Return the directory of the peers' packages, of the environment that BENCHMARK_PEERS names; empty where there is none."""
    home = os.environ.get("BENCHMARK_PEERS", "")
    found = sorted(Path(home).glob("lib/python*/site-packages")) if home else []
    return str(found[0].absolute()) if found else ""


def environment() -> Mapping[str, str]:
    """Return the environment in which a process of this interpreter imports the peers, too."""
    paths = [path for path in (os.environ.get("PYTHONPATH", ""), peers_path()) if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def can_import(module: str) -> bool:
    """Return whether a process that has the peers can import this: one that was installed for another Python cannot be."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], capture_output=True, check=False, env=environment()
    )
    return done.returncode == 0


def load() -> float:
    """Return how many processes wanted a core in the last minute."""
    return os.getloadavg()[0]


def _installed(path: str | None) -> list[metadata.Distribution]:
    if path is None:
        return [*metadata.distributions()]
    return [*metadata.distributions(path=[path])] if path else []


def _pinned() -> list[str]:
    lines = PEERS_FILE.read_text().splitlines() if PEERS_FILE.exists() else []
    return [_plain(line.split("==")[0].split("[")[0].strip()) for line in lines if line.strip() and line[0] != "#"]


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return "unknown distribution"


def _build() -> str:
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    profile = "with" if "--enable-optimizations" in options else "without"
    lto = "with" if "--with-lto" in options else "without"
    gil = "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "with the GIL"
    return f"{gil}, built {profile} PGO and {lto} LTO"


def _commit() -> str:
    """Return the commit that is checked out, with a plus where the package was changed since; empty without git."""
    root = Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + "+" * bool(
            git("status", "--porcelain", "exporter", "benchmarks/*.py")
        )
    except OSError:
        return ""
