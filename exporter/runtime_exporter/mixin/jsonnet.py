"""The only user of the jsonnet evaluator: one evaluation of one file of the bundle, its errors in one line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import BundleError, MissingExtraError
from runtime_exporter.mixin import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# "	rules/main.jsonnet:6:19-25	object <anonymous>" in the trace of a run-time error; std.jsonnet is the library's own.
_FRAME = re.compile(r"^\t(?!std\.jsonnet)(?P<file>[^\t:]+):(?P<place>\(?\d+:\d+[^\t]*)", re.MULTILINE)
# A syntax error says the place in its first line: STATIC ERROR: rules/main.jsonnet:2:6: expected a comma before next field.
_STATIC = re.compile(r"^STATIC ERROR: (?P<file>[^:]+):(?P<place>\(?\d+:\d+[^:]*): (?P<text>.*)", re.DOTALL)
_IMPORT = re.compile(r"\bimport '(?P<file>[^'\n]+)'")


def evaluate(entry: str, *, config: Mapping[str, Any] | None = None, root: Path | None = None) -> dict[str, Any]:
    """Evaluate the file `entry` (relative to the bundle) with the external variable `config` and return its object.

    Raises BundleError with file, line and the evaluator's own text; MissingExtraError where jsonnet is not installed.
    """
    try:
        import _jsonnet
    except ImportError:
        raise MissingExtraError("mixin", module="jsonnet") from None
    root = (root or bundle.root()).resolve()
    source = _read(root, entry)
    code = {} if config is None else {"config": json.dumps(config, allow_nan=False)}
    try:
        text = _jsonnet.evaluate_snippet(entry, _joined(root, entry), ext_codes=code, import_callback=_importer(root))
    except (RuntimeError, OSError):
        # Once more, file by file, as the error is to name the place in one of them.
        try:
            text = _jsonnet.evaluate_snippet(entry, source.decode(), ext_codes=code, import_callback=_importer(root))
        except RuntimeError as error:
            raise _bundle_error(root, entry, str(error)) from None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise BundleError(f"{entry}: evaluates to {type(value).__name__}, not to an object", path=root / entry)
    return value


def _joined(root: Path, entry: str) -> str:
    """Return a file and all that it imports as one text, each file a local variable. Raises OSError where one cannot be read.

    The evaluator reads its standard library anew for each file, which takes longer than the file: this halves the time.
    """
    variables: dict[Path, str] = {}
    bound: list[str] = []

    def variable(path: Path) -> str:
        if not path.is_relative_to(root):
            raise PermissionError(path)
        if path not in variables:
            variables[path] = f"file_{len(variables)}"
            text = _IMPORT.sub(lambda found: variable((path.parent / found["file"]).resolve()), path.read_text("utf-8"))
            bound.append(f"{variables[path]} = (\n{text}\n)")
        return variables[path]

    last = variable((root / entry).resolve())
    return f"local {', '.join(bound)}; {last}"


def _read(root: Path, entry: str) -> bytes:
    try:
        return (root / entry).read_bytes()
    except OSError as error:
        raise BundleError(f"{entry}: cannot be read: {error.strerror}", path=root / entry) from None


def _importer(root: Path) -> Callable[[str, str], tuple[str, bytes]]:
    """Resolve imports inside the bundle only, under names relative to it, which is how errors then name them."""

    def load(directory: str, relative: str) -> tuple[str, bytes]:
        path = (root / directory / relative).resolve()
        if not path.is_relative_to(root):
            raise RuntimeError(f"{relative} is outside the bundle")
        try:
            return path.relative_to(root).as_posix(), path.read_bytes()
        except OSError as error:
            raise RuntimeError(error.strerror) from None

    return load


def _bundle_error(root: Path, entry: str, raw: str) -> BundleError:
    """Put the place first and leave the trace out: what a user can act on is one line."""
    static = _STATIC.match(raw)
    frame = _FRAME.search(raw)
    text = static["text"] if static else raw.partition("\n\t")[0].removeprefix("RUNTIME ERROR: ")
    found = static or frame
    file, place = (found["file"], f":{found['place']}") if found else (entry, "")
    return BundleError(f"{file}{place}: {' '.join(text.split())}", path=root / file)
