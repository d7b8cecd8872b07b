"""Prometheus' web configuration file: TLS, basic authentication and headers of what we serve.

The format is the one of `--web.config.file` (https://prometheus.io/docs/prometheus/latest/configuration/https/), so that one file
serves Prometheus, its exporters and this one. Relative paths start at the file.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime_exporter.configfile import ConfigFile, read
from runtime_exporter.errors import ConfigError, ExporterError
from runtime_exporter.logs import StateLog
from runtime_exporter.nearest import did_you_mean
from runtime_exporter.web.auth import BasicAuth
from runtime_exporter.web.tls import (
    CIPHERS,
    CIPHERS_TLS13,
    CLIENT_AUTH,
    CURVES,
    VERSIONS,
    TLSConfig,
    known,
    server_context,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

# The headers that Prometheus lets one set, and the values of those that have but a few.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_TLS_FIELDS = (
    "cert_file",
    "key_file",
    "client_auth_type",
    "client_ca_file",
    "min_version",
    "max_version",
    "cipher_suites",
    "curve_preferences",
    "prefer_server_cipher_suites",
)
_FileStamp = tuple[str, int, int, int]


@dataclass(frozen=True)
class WebConfig:
    """A web configuration that was read and found right; the default is plain HTTP for everybody."""

    tls: ssl.SSLContext | None = None
    auth: BasicAuth | None = None
    headers: tuple[tuple[str, str], ...] = ()
    files: tuple[Path, ...] = field(default=(), repr=False)


PLAIN = WebConfig()


def load(path: Path, source: str = "argument") -> WebConfig:
    """Return the configuration in a file, whose path was given in `source`.

    Raises `ConfigError` in one line that starts with the place of what is wrong, and `MissingExtraError` where there are users but no bcrypt.
    """
    file = read(path, setting="web_config_file", source=source)
    section = "tls_server_config"
    try:
        _known_keys("", file.values, ("tls_server_config", "http_server_config", "basic_auth_users"))
        tls = _tls(_mapping(section, file.values), path.parent)
        context = server_context(tls) if tls else None
        section = "http_server_config"
        headers = _headers(_mapping(section, file.values))
        section = "basic_auth_users"
        users = _mapping(section, file.values)
        auth = BasicAuth(users) if users else None
    except ConfigError as error:
        raise _placed(error, file, section) from None
    return WebConfig(context, auth, headers, (path, *(tls.files if tls else ())))


class WebConfigFile:
    """The configuration in a file, read again when the file, its key or its certificates change.

    A change that is wrong is logged, and the last right configuration stays: a typing error opens no door and closes none.
    """

    def __init__(self, path: Path | str, *, source: str = "argument") -> None:
        """Read the file; `source` is where its path was given. Raises what `load` raises."""
        self._path = Path(path)
        self._source = source
        self._lock = threading.Lock()
        self._config = load(self._path, self._source)
        self._stamp = _stamp(self._config.files)
        self._log = StateLog()

    def current(self) -> WebConfig:
        """Return the configuration as the files have it now. Never raises."""
        stamp = _stamp(self._config.files)
        if stamp != self._stamp:
            with self._lock:
                self._reload(stamp)
        return self._config

    def _reload(self, stamp: tuple[_FileStamp, ...]) -> None:
        try:
            self._config = load(self._path, self._source)
        except ExporterError as error:
            self._log.report("reload", str(error), f"web configuration not reloaded, the last one stays: {error}")
        else:
            stamp = _stamp(self._config.files)  # a certificate may be another file now
            self._log.report("reload", "ok", f"web configuration {self._path} reloaded")
        self._stamp = stamp


def _stamp(files: Iterable[Path]) -> tuple[_FileStamp, ...]:
    return tuple(map(_file_stamp, files))


def _file_stamp(path: Path) -> _FileStamp:
    """Return what changes when the file does; one that is gone has a stamp, too."""
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), status.st_mtime_ns, status.st_size, status.st_ino


def _placed(error: ConfigError, file: ConfigFile, section: str) -> ConfigError:
    """Return the error with the place of its key in the file before it, or of its section."""
    inside = (name for name in file.lines if name.startswith(f"{section}.") and name.endswith(f".{error.setting}"))
    key = error.setting if error.setting in file.values else next(inside, section)
    where = file.where(key)
    return ConfigError(f"{where}: {error}", setting="web_config_file", value=error.value, source=where)


def _known_keys(section: str, values: Mapping[str, Any], names: Iterable[str]) -> None:
    names = tuple(names)
    for key in values:
        if key not in names:
            inside = f"{section}: " if section else ""
            raise ConfigError(f"{inside}unknown key {key!r}{did_you_mean(key, names)}", setting=key)


def _mapping(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    value = values.get(section)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{section}: a mapping is needed", setting=section)
    return {str(key): item for key, item in value.items()}


def _tls(values: dict[str, Any], directory: Path) -> TLSConfig | None:
    """Return the checked section, or None where it says nothing that would turn TLS on."""
    _known_keys("tls_server_config", values, _TLS_FIELDS)
    given = {key: value for key, value in values.items() if value not in (None, "")}
    if not given.keys() & {"cert_file", "key_file", "client_ca_file", "client_auth_type"}:
        return None
    for name in ("cert_file", "key_file"):
        if name not in given:
            raise ConfigError(f"tls_server_config: {name} is missing", setting="tls_server_config")
    return TLSConfig(
        cert_file=directory / _text(given, "cert_file"),
        key_file=directory / _text(given, "key_file"),
        min_version=known("min_version", _text(given, "min_version", "TLS12"), VERSIONS),
        max_version=known("max_version", _text(given, "max_version", "TLS13"), VERSIONS),
        cipher_suites=_ciphers(_texts(given, "cipher_suites")),
        curve=_curve(_texts(given, "curve_preferences")),
        prefer_server_cipher_suites=_flag(given, "prefer_server_cipher_suites", default=True),
        **_client_auth(given, directory),
    )


def _client_auth(given: dict[str, Any], directory: Path) -> dict[str, Any]:
    kind = _text(given, "client_auth_type", "NoClientCert")
    if kind in ("RequireAnyClientCert", "RequireClientCert"):
        raise ConfigError(
            f"client_auth_type = {kind!r}: Python cannot leave it unverified: use RequireAndVerifyClientCert"
        )
    known("client_auth_type", kind, CLIENT_AUTH)
    verifies = kind in ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
    if verifies != ("client_ca_file" in given):
        needs = (
            "needs a client_ca_file"
            if verifies
            else "does not verify: with a client_ca_file use RequireAndVerifyClientCert"
        )
        raise ConfigError(f"client_auth_type = {kind!r} {needs}", setting="client_auth_type")
    authorities = directory / _text(given, "client_ca_file") if verifies else None
    return {"client_auth_type": kind, "client_ca_file": authorities}


def _ciphers(suites: tuple[str, ...]) -> tuple[str, ...]:
    words = {**CIPHERS, **dict.fromkeys(CIPHERS_TLS13)}
    return tuple(known("cipher_suites", suite, words) for suite in suites)


def _curve(curves: tuple[str, ...]) -> str:
    for curve in curves:
        known("curve_preferences", curve, CURVES)
    if len(curves) > 1:
        raise ConfigError(
            "curve_preferences: Python can be told one curve only: give one, or none for OpenSSL's own choice"
        )
    return curves[0] if curves else ""


def _headers(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    _known_keys("http_server_config", values, ("http2", "headers"))
    _flag(values, "http2", default=True)  # only HTTP/1.1 is spoken, which every client of HTTP/2 speaks as well
    headers = _mapping("headers", values)
    _known_keys("headers", headers, HEADERS)
    chosen = []
    for name in headers:
        value = _text(headers, name)
        if HEADERS[name] and value not in HEADERS[name]:
            raise ConfigError(
                f"headers: {name} = {value!r}: one of {', '.join(HEADERS[name])} is needed", setting=name, value=value
            )
        if not (value.isprintable() and value.isascii()):
            raise ConfigError(f"headers: {name}: one line of printable ASCII is needed", setting=name)
        chosen.append((name, value))
    return tuple(chosen)


def _text(values: Mapping[str, Any], name: str, default: str = "") -> str:
    value = values.get(name, default)
    if not isinstance(value, str):
        raise ConfigError(f"{name} = {value!r}: a text is needed", setting=name, value=value)
    return value


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{name}: a list of texts is needed", setting=name, value=value)
    return tuple(value)


def _flag(values: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = values.get(name, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} = {value!r}: true or false is needed", setting=name, value=value)
    return value
