"""Hooks on imports: a function that is called with a module right after the module was imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Hook = Callable[[ModuleType], None]


class ImportHooks:
    """A finder for `sys.meta_path` that finds nothing itself: it asks the finders after it, and hooks what they found.

    `hooks` has the full names of modules; `failed` is called with a name and an exception where a hook raises.
    """

    def __init__(self, hooks: Mapping[str, Hook], failed: Callable[[str, Exception], None]) -> None:
        self._hooks = dict(hooks)
        self._failed = failed

    def install(self) -> None:
        """Hook imports from now on, and modules that are imported already."""
        for name in [name for name in self._hooks if name in sys.modules]:
            self._call(name, sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """Return the spec that another finder has for a hooked module; None leaves every other module alone."""
        if name not in self._hooks:
            return None
        spec = next((spec for finder in sys.meta_path if (spec := self._ask(finder, name, path, target))), None)
        if spec is not None and spec.loader is not None:
            self._hook(spec)
        return spec

    def _ask(self, finder: Any, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        if finder is self or not hasattr(finder, "find_spec"):
            return None
        spec: ModuleSpec | None = finder.find_spec(name, path, target)
        return spec

    def _hook(self, spec: ModuleSpec) -> None:
        """Have the loader of `spec` call the hook. It stays the same object: programs ask loaders for more than loading."""
        execute = spec.loader.exec_module  # type: ignore[union-attr]  # find_spec() looked

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self._call(spec.name, module)

        try:
            spec.loader.exec_module = exec_module  # type: ignore[union-attr, method-assign]
        except AttributeError as error:  # a loader that takes no attributes
            self._failed(spec.name, error)

    def _call(self, name: str, module: ModuleType) -> None:
        hook = self._hooks.pop(name, None)
        if hook is None:
            return
        try:
            hook(module)
        except Exception as error:  # noqa: BLE001 - the import succeeds in any case
            self._failed(name, error)
