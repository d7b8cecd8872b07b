"""Who we are to the server: a user with a password, or a token, out of files that may change while we run."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from runtime_exporter.errors import ConfigError


@dataclass(frozen=True)
class Credentials:
    """Basic authentication where there is a user, a bearer token where there is a file of one, else none."""

    user: str | None = None
    password_file: str | None = None
    token_file: str | None = None

    def header(self) -> str:
        """Return the value of the header Authorization, empty for none. Raises ConfigError for a file that cannot be used.

        The files are read each time, since secrets are rotated.
        """
        if self.token_file:
            return f"Bearer {secret('pyroscope_token_file', self.token_file)}"
        if self.user and self.password_file:
            pair = f"{self.user}:{secret('pyroscope_password_file', self.password_file)}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        return ""


def secret(setting: str, path: str) -> str:
    """Return the first line of a file, which is all of it. Raises ConfigError, with the setting's name, for a file that cannot be used."""
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _unusable(setting, path, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _unusable(setting, path, "is no text") from None
    if not text or not text.isprintable():  # a line break would begin another header
        raise _unusable(setting, path, "has to hold the secret, one line, and nothing else")
    return text


def _unusable(setting: str, path: str, why: str) -> ConfigError:
    return ConfigError(f"{setting} = {path!r}: the file {why}", setting=setting, value=path)
