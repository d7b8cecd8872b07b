"""Grafana's own types, npm's @grafana/schema, and the compiler's word on every dashboard: an unknown key, a text that is none of an enum's is an error."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import require

HERE = Path(__file__).parent / "grafana"
OPTIONS = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler")  # fmt: skip


@pytest.fixture(scope="module")
def grafana(request):
    """A directory with the types and the compiler of package-lock.json; what an earlier run installed is taken again."""
    npm = require("npm", package="nodejs npm")
    version = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    home = request.config.cache.mkdir(f"grafana-types-{version}")
    for name in ("package.json", "package-lock.json", "board.ts"):
        shutil.copy2(HERE / name, home)
    if not (home / "node_modules" / "typescript" / "bin" / "tsc").is_file():
        options = ("--ignore-scripts", "--no-audit", "--no-fund")
        done = subprocess.run([npm, "ci", *options], cwd=home, capture_output=True, text=True, timeout=150, check=False)
        if done.returncode:
            message = f"npm cannot install @grafana/schema: {done.stderr.strip()[-300:]}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return home


def findings(grafana, boards, directory):
    """Return what the compiler says of dashboards by name."""
    place = grafana / directory
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, board in boards.items():
        text = json.dumps(board, indent=1)
        (place / f"{name}.ts").write_text(
            f'import type {{ Board }} from "../board";\nexport const board: Board = {text};\n'
        )
    compiler = grafana / "node_modules" / "typescript" / "bin" / "tsc"
    sources = sorted(str(path) for path in place.glob("*.ts"))
    done = subprocess.run(
        [require("node", package="nodejs"), str(compiler), *OPTIONS, *sources],
        cwd=grafana,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    return [line for line in done.stdout.splitlines() if "error" in line]


def test_every_dashboard_is_one_of_grafanas_type(grafana, boards):
    assert [] == findings(grafana, boards, "boards")


def test_the_compiler_finds_what_grafana_would_not_know(grafana, boards):
    """A key of grafanalib's own, a mode that is none, a number where a text belongs."""
    good = boards["exporter"]
    [first, *others] = good["panels"]
    defaults = {**first["fieldConfig"]["defaults"], "color": {"mode": "rainbow"}}
    wrong = {
        "dead": {**good, "rows": []},
        "mode": {**good, "panels": [{**first, "fieldConfig": {**first["fieldConfig"], "defaults": defaults}}, *others]},
        "title": {**good, "title": 7},
    }
    found = findings(grafana, wrong, "wrong")
    assert set(wrong) == {Path(line.split("(")[0]).stem for line in found}
