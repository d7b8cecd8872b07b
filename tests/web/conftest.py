"""Certificates, servers and clients for the tests of what we serve."""

from __future__ import annotations

import datetime as dt
import ipaddress

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime_exporter.web.server import Server


def _pem(key, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _usage(*, authority):
    unused = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    unused |= dict.fromkeys(("encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=authority, crl_sign=authority, **unused)


def _certificate(name, key, issuer=None, issuer_key=None):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.timezone.utc)
    authority = issuer is None
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(  # with the usage, what Python 3.13 demands of a chain by default
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False
        )
        .add_extension(_usage(authority=authority), critical=True)
        .sign(issuer_key or key, hashes.SHA256())
    )


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """An authority, a server's and a client's certificate, and the wrong files a user could name."""
    directory = tmp_path_factory.mktemp("pki")
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "server", "client", "other")}
    ca = _certificate("Test CA", keys["ca"])
    files = {"ca.pem": ca.public_bytes(serialization.Encoding.PEM)}
    for name in ("server", "client"):
        certificate = _certificate(name, keys[name], ca, keys["ca"])
        files[f"{name}.pem"] = certificate.public_bytes(serialization.Encoding.PEM)
        files[f"{name}.key"] = _pem(keys[name])
    files["other.key"] = _pem(keys["other"])
    files["encrypted.key"] = _pem(keys["server"], b"secret")
    files["garbage.pem"] = b"garbage\n"
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture(scope="session")
def hashed():
    """The bcrypt hash of "correct horse", at the lowest cost there is."""
    return bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()


@pytest.fixture
def serve():
    """Start servers that are closed with the test: `serve(app, web_config=…)`."""
    servers = []

    def start(app, **options):
        server = Server(app, **options)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
