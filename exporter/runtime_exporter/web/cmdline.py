"""The command line of this process as anybody who may see its profiles may see it: without the secrets that are often in one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runtime_exporter.settings.sources import MASK, masked_url

if TYPE_CHECKING:
    from collections.abc import Iterable

# --db-password, --api-key=…, TOKEN=…: an option or a variable with one of these words as the end of its name.
_SECRET = re.compile(r"(?:[\w-]*[_-]|-*)(?:password|passwd|secret|token|api-?key|key|credentials?)", re.IGNORECASE)


def masked(arguments: Iterable[str]) -> tuple[str, ...]:
    """Return the arguments, the values of options that sound secret and the passwords in URLs masked."""
    shown = []
    hide = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        secret = _SECRET.fullmatch(name) is not None
        if hide and not argument.startswith("-"):
            shown.append(MASK)
        elif secret and equals:
            shown.append(f"{name}={MASK}")
        else:
            shown.append(str(masked_url(argument)))
        hide = secret and not equals and argument.startswith("-")
    return tuple(shown)
