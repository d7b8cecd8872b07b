"""What an agent shows to a target that asks who it is. The secret stays in its file, and is read each time: it may be renewed."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Credentials:
    """How to authenticate: `scheme` is "Basic", then with a `user`, or such as "Bearer"."""

    scheme: str
    secret_file: Path
    user: str = ""

    def header(self) -> str:
        """Return the value of the header Authorization. Raises ProfileError where the file cannot be read or is empty."""
        try:
            secret = self.secret_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ProfileError(f"{self.secret_file}: {reason}") from None
        if not secret or not secret.isprintable():
            raise ProfileError(f"{self.secret_file}: one line with the secret is needed")
        if self.scheme == "Basic":
            secret = base64.b64encode(f"{self.user}:{secret}".encode()).decode("ascii")
        return f"{self.scheme} {secret}"
