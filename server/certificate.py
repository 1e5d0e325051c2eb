"""server: TLS: the operator's certificate, or one that the server makes for itself to try it."""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from server.config import LOOPBACK, ServerSettings
from server.extras import ExtraMissing, missing

VALID_FOR = timedelta(days=7)
_EVERY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The two PEM files that a TLS server needs."""

    chain: Path
    key: Path


@contextmanager
def certificate(settings: ServerSettings) -> Iterator[Certificate | None]:
    """The certificate that the settings ask for, None without TLS.

    A self-signed one lives in a private folder for as long as this context. Raises ExtraMissing
    where the package that makes it is not installed.
    """
    if settings.tls_certificate is not None and settings.tls_key is not None:
        yield Certificate(settings.tls_certificate, settings.tls_key)
    elif settings.tls == "self-signed":
        with tempfile.TemporaryDirectory(prefix="antiphon-tls-") as folder:
            yield self_signed(Path(folder), settings.host)
    else:
        yield None


def self_signed(folder: Path, host: str) -> Certificate:
    """Write a new key and a certificate for this host and the loopback names into a folder."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ModuleNotFoundError as error:
        raise missing(error, "--tls self-signed") or ExtraMissing(str(error)) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Antiphon, self-signed")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(_names(x509, host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(x509), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = Certificate(folder / "certificate.pem", folder / "key.pem")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files.key.touch(mode=0o600)
    files.key.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    files.chain.write_bytes(made.public_bytes(encoding))
    return files


def _usage(x509: Any) -> Any:
    """It signs itself, and the handshakes of the server."""
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    rights = dict.fromkeys((*others, "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=True, **rights)


def _names(x509: Any, host: str) -> list[Any]:
    hosts = [*LOOPBACK, *(() if host in (*LOOPBACK, *_EVERY_ADDRESS) else (host,))]
    return [_name(x509, each) for each in hosts]


def _name(x509: Any, host: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
