"""Who we are to a server: a user with a password, or a token. Secrets stay in their files, which may change while we run."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime_exporter.errors import ConfigError

BASIC: Final = "Basic"


@dataclass(frozen=True)
class Credentials:
    """How to authenticate: `scheme` is "Basic", then with a `user`, or such as "Bearer". `setting` is what names the file."""

    scheme: str
    secret_file: Path | str
    user: str = ""
    setting: str = ""

    def header(self) -> str:
        """Return the value of the header Authorization. Raises ConfigError for a file that cannot be used.

        The file is read each time, since secrets are rotated.
        """
        shown = secret(self.secret_file, self.setting)
        if self.scheme == BASIC:
            shown = base64.b64encode(f"{self.user}:{shown}".encode()).decode("ascii")
        elif not shown.isascii():
            raise _unusable(self.secret_file, self.setting, "has to hold a token, which is ASCII")
        return f"{self.scheme} {shown}"


def secret(path: Path | str, setting: str = "") -> str:
    """Return the first line of a file, which is all of it. Raises ConfigError, with the setting's name, for a file that cannot be used."""
    try:
        text = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise _unusable(path, setting, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _unusable(path, setting, "is no text") from None
    if not text.strip() or not text.isprintable():  # a line break would begin another header
        raise _unusable(path, setting, "has to hold the secret, one line, and nothing else")
    return text


def _unusable(path: Path | str, setting: str, why: str) -> ConfigError:
    where = f"{setting} = {str(path)!r}" if setting else str(path)
    return ConfigError(f"{where}: the file {why}", setting=setting, value=str(path))
