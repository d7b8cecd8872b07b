"""The fleets of services that others instrument, and the Go service among them."""

from __future__ import annotations

import os
import sys

import pytest

from go_tools import require_go
from source_fleet import CLIENT, GOPATH, HERE, PYTHON, fleet


@pytest.fixture(scope="session")
def go_service(tmp_path_factory):
    """The program of goclient/, built with Debian's client_golang."""
    go = require_go()
    if not (GOPATH / "src/github.com/prometheus/client_golang").is_dir():
        message = f"client_golang is not installed: apt-get install --no-install-recommends {CLIENT}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    program = tmp_path_factory.mktemp("go") / "service"
    # Debian's libraries are a GOPATH, as before there were modules.
    go.run("build", "-o", str(program), ".", cwd=HERE / "goclient", GO111MODULE="off", GOPATH=str(GOPATH), GOFLAGS="")
    return program


@pytest.fixture(scope="module")
def python_fleet(tmp_path_factory):
    commands = {source: ((sys.executable, HERE / "app.py", source), {}) for source in PYTHON}
    commands["opentelemetry"][1]["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"
    with fleet(tmp_path_factory.mktemp("python"), commands) as running:
        yield running


@pytest.fixture(scope="module")
def go_fleet(tmp_path_factory, go_service):
    with fleet(tmp_path_factory.mktemp("goclient"), {"go": ((go_service,), {})}) as running:
        yield running
