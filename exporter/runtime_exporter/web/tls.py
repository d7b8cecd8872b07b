"""`tls_server_config` of Prometheus' web configuration format as an `ssl.SSLContext`.

The format speaks of TLS as Go does; Python has OpenSSL. What OpenSSL cannot be told from Python is refused, never ignored.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime_exporter.errors import ConfigError
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
# A certificate that is asked for but not verified proves nothing, so RequestClientCert comes to the same as NoClientCert.
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# IANA's names, as Go's crypto/tls lists them, to OpenSSL's. TLS 1.3 has its own three, always on in Go and here.
CIPHERS = {
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
CIPHERS_TLS13 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})


@dataclass(frozen=True)
class TLSConfig:
    """A checked `tls_server_config`: files that are there, words that are known."""

    cert_file: Path
    key_file: Path
    client_auth_type: str = "NoClientCert"
    client_ca_file: Path | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    curve: str = ""
    prefer_server_cipher_suites: bool = True

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the context is made of."""
        return tuple(path for path in (self.cert_file, self.key_file, self.client_ca_file) if path)


def server_context(config: TLSConfig) -> ssl.SSLContext:
    """Return the context for a server; raises `ConfigError` for a key or certificate that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[config.min_version]
    context.maximum_version = VERSIONS[config.max_version]
    context.set_alpn_protocols(["http/1.1"])
    if not config.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    _load_pair(context, config)
    _load_ciphers(context, config.cipher_suites)
    if config.curve:
        context.set_ecdh_curve(CURVES[config.curve])
    if config.client_ca_file:
        _load_authorities(context, config.client_ca_file)
    context.verify_mode = CLIENT_AUTH[config.client_auth_type]
    return context


def known(name: str, value: str, words: Mapping[str, object]) -> str:
    """Return `value` where it is one of `words`; raises `ConfigError` that names the nearest otherwise."""
    if value in words:
        return value
    hint = did_you_mean(value, words) or f"; known are {', '.join(words)}"
    raise ConfigError(f"{name} = {value!r}: unknown{hint}", setting=name, value=value)


def _load_pair(context: ssl.SSLContext, config: TLSConfig) -> None:
    for name, path in (("cert_file", config.cert_file), ("key_file", config.key_file)):
        _readable(name, path)
    encrypted = False

    def password() -> str:
        # Without this OpenSSL asks at the terminal. The format has no place for a passphrase.
        nonlocal encrypted
        encrypted = True
        return ""

    try:
        context.load_cert_chain(config.cert_file, config.key_file, password=password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise _bad_file(*_pair_problem(config, error, encrypted=encrypted)) from None


def _pair_problem(config: TLSConfig, error: Exception, *, encrypted: bool) -> tuple[str, Path, str]:
    reason = getattr(error, "reason", None) or str(error)
    if encrypted:
        return "key_file", config.key_file, "is encrypted with a passphrase, which this format cannot give: decrypt it"
    if reason == "KEY_VALUES_MISMATCH":
        return "key_file", config.key_file, f"does not belong to the certificate {config.cert_file}"
    if not _is_certificate(config.cert_file):
        return "cert_file", config.cert_file, "is not a PEM certificate"
    if reason in ("PEM lib", "NO_START_LINE") or "PEM" in reason:
        return "key_file", config.key_file, "is not a PEM private key"
    return "cert_file", config.cert_file, f"cannot be used: {reason.lower().replace('_', ' ')}"


def _is_certificate(path: Path) -> bool:
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        probe.load_verify_locations(path)
    except (ssl.SSLError, OSError):
        return False
    return True


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _readable("client_ca_file", path)
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError):
        raise _bad_file("client_ca_file", path, "is not a file of PEM certificates") from None


def _load_ciphers(context: ssl.SSLContext, suites: tuple[str, ...]) -> None:
    names = [CIPHERS[suite] for suite in suites if suite in CIPHERS]
    if not names:
        return
    try:
        context.set_ciphers(":".join(names))
    except ssl.SSLError:
        raise ConfigError(
            f"cipher_suites: this OpenSSL has none of {', '.join(suites)}", setting="cipher_suites", value=suites
        ) from None


def _readable(name: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise _bad_file(name, path, f"cannot be read: {error.strerror}") from None


def _bad_file(name: str, path: Path, problem: str) -> ConfigError:
    return ConfigError(f"{name}: {path} {problem}", setting=name, value=str(path))
