# SPDX-License-Identifier: Apache-2.0
"""A certificate authority that no machine trusts, as companies have one, and a certificate that it signed."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Authority:
    """Where its files are.

    :param ca: its own certificate, PEM.
    :param cert: a server's certificate, signed by it, and after it the authority's.
    :param key: that server's key.
    """

    ca: str
    cert: str
    key: str


def make_authority(folder: Path, hosts: Sequence[str], *, days: tuple[int, int] = (-1, 30)) -> Authority:
    """An authority and one server's certificate.

    :param folder: where the files go.
    :param hosts: the names and addresses of the server.
    :param days: from when to when the server's certificate is good, counted from today.
    """
    now = datetime.now(UTC)
    ca_key, ca_name = ec.generate_private_key(ec.SECP256R1()), _name("Private test CA")
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = (
        _builder(ca_name, ca_name, ca_key, now + timedelta(days=-1), now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    first, last = (now + timedelta(days=each) for each in days)
    cert = (
        _builder(_name(hosts[0]), ca_name, key, first, last)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    files = Authority(*(str(folder / name) for name in ("ca.pem", "server.pem", "server.key")))
    Path(files.ca).write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    # The whole chain, as servers have it.
    Path(files.cert).write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in (cert, ca)))
    Path(files.key).write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, first: datetime, last: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
