"""Basic authentication against bcrypt hashes, cheap for those who were let in before."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import threading
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BCRYPT_HASH = re.compile(r"\$2[abxy]?\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")
_BCRYPT_BYTES = 72  # bcrypt reads no further; the library refuses what Go's cuts
_REMEMBERED = 100  # verified credentials; Prometheus keeps as many


class BasicAuth:
    """Users and the bcrypt hashes of their passwords.

    A bcrypt comparison costs 50-100 ms by design, so a credential that was right once is remembered, as an HMAC under a key
    of this process, and not compared again. A wrong one always costs a comparison, whether there is such a user or not, and only
    one comparison runs at a time: who guesses cannot take more than one core from the application.
    """

    def __init__(self, users: Mapping[str, object]) -> None:
        """Check the hashes; raises `ConfigError` for what is none, and `MissingExtraError` without bcrypt."""
        for name, hashed in users.items():
            if not isinstance(hashed, str) or not _BCRYPT_HASH.fullmatch(hashed):
                # Not the value: it is likely to be the password itself.
                message = f"the value of {name!r} is not a bcrypt hash (htpasswd -nBC 10 NAME writes one)"
                raise ConfigError(f"basic_auth_users: {message}", setting=name)
        self._bcrypt = _bcrypt()
        self._hashes = {name: str(hashed).encode() for name, hashed in users.items()}
        self._stranger = next(
            iter(self._hashes.values())
        )  # compared for unknown users: takes the time that a known one takes
        self._key = os.urandom(32)
        self._verified: dict[bytes, None] = {}
        self._lock = threading.Lock()

    def allows(self, authorization: str) -> bool:
        """Return whether the value of an Authorization header is the name and password of a user."""
        credential = _credential(authorization)
        if credential is None:
            return False
        name, password = credential
        known = name in self._hashes
        mark = hmac.new(self._key, name.encode() + b"\0" + password, hashlib.sha256).digest()
        if mark in self._verified:  # before the lock: who is known does not queue behind who guesses
            return True
        with self._lock:
            right = self._compare(password, self._hashes.get(name, self._stranger)) and known
            if right:
                self._verified[mark] = None
                while len(self._verified) > _REMEMBERED:
                    del self._verified[next(iter(self._verified))]
        return right

    def _compare(self, password: bytes, hashed: bytes) -> bool:
        try:
            return bool(self._bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed))
        except ValueError:  # a NUL in the password, which no hash of a password has
            return False


def _bcrypt() -> Any:
    try:
        import bcrypt
    except ImportError:
        raise MissingExtraError("auth", module="bcrypt") from None
    return bcrypt


def _credential(authorization: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
