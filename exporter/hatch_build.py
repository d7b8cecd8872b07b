"""Compiles the C of runtime_exporter/http/compiled where that is possible: a build hook of hatchling.

Everything works without it, and an ordinary request costs more. So where there is no compiler, or none of Python's headers, one
line says so and the installation goes on; a wheel then fits every platform. `RUNTIME_EXPORTER_COMPILED=false` in the environment of
the build leaves it out, with `true` the build fails where it cannot be compiled.

A wheel carries what was compiled; an editable installation has it beside its source. That alone, for the interpreter that runs it,
is what `python exporter/hatch_build.py` does.

Setuptools knows how each platform compiles an extension. It runs in a process of its own and in a directory that is removed: what
compilers say is kept until somebody needs it, and nothing is left in the tree but what was asked for.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE: Final = "RUNTIME_EXPORTER_COMPILED"
PACKAGE: Final = "runtime_exporter/http/compiled"
SOURCES: Final = Path(__file__).resolve().parent / PACKAGE
SUFFIX: Final = str(sysconfig.get_config_var("EXT_SUFFIX"))
"""What the files of this interpreter's extension modules end with: those of others may lie beside them."""

_WORDS: Final = {
    "": None,
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
# As setuptools of several years say it.
_NO_COMPILER: Final = re.compile(
    r"command '([^']+)' failed: No such file or directory|No such file or directory: '([^']+)'$"
)
_SETUP: Final = """
import json, sys
from setuptools import Extension, setup
extensions = json.loads(sys.argv.pop(1))
setup(ext_modules=[Extension(**extension) for extension in extensions])
"""


class NotCompiledError(Exception):
    """It cannot be compiled here: one line that says why, and all that was said when it was tried."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


class CompiledHook(BuildHookInterface[Any]):
    """Adds what was compiled to a wheel, or puts it beside its source where the installation is editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is packed. Ends the build where that fails and was demanded."""
        self._directory = tempfile.TemporaryDirectory(prefix="runtime-exporter-")
        try:
            if version == "editable":
                compile_in_place()
                return
            compiled = compile_into(Path(self._directory.name), debug=False)
        except NotCompiledError as error:
            if demanded():
                self.app.abort(refusal(error))
            self.app.display_warning(note(error))
            return
        if compiled:
            build_data["force_include"].update({str(path): f"{PACKAGE}/{path.name}" for path in compiled})
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled, now that the wheel has it."""
        del version, build_data, artifact_path
        self._directory.cleanup()


def demanded() -> bool | None:
    """Return whether it has to be compiled, or must not be, or (None) is if possible. Exits where VARIABLE says none of these."""
    value = os.environ.get(VARIABLE, "").strip().lower()
    if value not in _WORDS:
        sys.exit(f"error: {VARIABLE} = {value!r}: true or false is needed, or nothing for what is possible")
    return _WORDS[value]


def compile_into(directory: Path, *, debug: bool) -> list[Path]:
    """Compile every module into a directory and return their files: none where there is nothing to compile, or it is not wanted.

    With `debug` a debugger finds their lines; without, the same source gives the same bytes wherever it lies. Raises
    NotCompiledError where it is wanted, and impossible.
    """
    wanted, modules = demanded(), sorted(path.stem for path in SOURCES.glob("_*.c"))
    if wanted is False or not modules:
        return []
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        if wanted is None:
            return []
        raise NotCompiledError(f"it is for CPython with a GIL, which this {platform.python_implementation()} has not")
    options = {} if debug or os.name != "posix" else {"extra_compile_args": ["-g0"]}
    extensions = [
        {"name": f"{PACKAGE}/{name}".replace("/", "."), "sources": [f"{name}.c"], **options} for name in modules
    ]
    lib, temp = directory / "lib", directory / "temp"
    done = subprocess.run(  # noqa: S603 - this interpreter, and setuptools in it
        [sys.executable, "-c", _SETUP, json.dumps(extensions), "build_ext", "--build-lib", lib, "--build-temp", temp],
        cwd=SOURCES,
        env={**os.environ, "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise NotCompiledError(_reason(done.stdout), done.stdout)
    return sorted((lib / PACKAGE).glob(f"_*{SUFFIX}"))


def compile_in_place() -> list[Path]:
    """Compile, put the modules beside their sources and return their files. What an earlier build has put there goes in any case.

    Raises NotCompiledError where it is wanted, and impossible.
    """
    with tempfile.TemporaryDirectory(prefix="runtime-exporter-") as directory:
        try:
            compiled = compile_into(Path(directory), debug=True)
        except NotCompiledError:
            _put_beside([])
            raise
        return _put_beside(compiled)


def _put_beside(compiled: list[Path]) -> list[Path]:
    """Each file is replaced as a whole, since a process that runs has the old one mapped."""
    placed = [SOURCES / path.name for path in compiled]
    try:
        for path, place in zip(compiled, placed, strict=True):
            new = place.with_suffix(".new")
            shutil.copy(path, new)
            new.replace(place)
        for old in {*SOURCES.glob(f"_*{SUFFIX}")}.difference(placed):
            old.unlink()
    except OSError as error:
        raise NotCompiledError(f"{SOURCES} cannot be written ({error.strerror})") from None
    return placed


def _reason(output: str) -> str:
    """Return the line that says best what went wrong: the compiler's first error, else setuptools'."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["nothing was said"]
    first = next((line for line in lines if "error:" in line.lower() or "fatal error" in line), lines[-1])
    if "fatal error" in first and "Python.h" in first:
        return "Python.h is missing (Debian: apt-get install python3-dev)"
    missing = _NO_COMPILER.search(first)
    if missing:
        return f"there is no C compiler {missing[1] or missing[2]} (Debian: apt-get install gcc libc6-dev)"
    return first.removeprefix("error: ")


def note(error: NotCompiledError) -> str:
    """Return the line for who gets along without, as everybody can."""
    return f"note: without the compiled part, which only makes requests cheaper: {error}"


def refusal(error: NotCompiledError) -> str:
    """Return the lines for who demanded it: what the compiler said, and why that is the end."""
    return f"{error.output}error: {VARIABLE} is true, but {error}"


def main() -> None:
    """Compile beside the sources. Exits with 1 where that fails, which is fine unless it was demanded."""
    try:
        compiled = compile_in_place()
    except NotCompiledError as error:
        sys.exit(refusal(error) if demanded() else note(error))
    for path in compiled:
        sys.stdout.write(f"compiled {path.name}\n")


if __name__ == "__main__":
    main()
