"""An Exchange server with a certificate of its own company."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemon.core.errors import Forbidden
from tests.servers.ews_server import serving
from tests.servers.ews_worlds import exchange_account


@pytest.fixture
def company(tmp_path):
    """A certificate for loopback that no system trusts: the file to trust, and the server's side."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "corp.example")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, private = tmp_path / "ca.pem", tmp_path / "key.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    return authority, context


def test_a_private_authority_is_trusted_where_the_account_names_it(company):
    authority, tls = company
    with serving(tls=tls) as ews:
        assert exchange_account(ews, ca=authority).open("primary").changes(None).complete


def test_an_unknown_authority_is_refused_and_the_cure_named(company):
    with serving(tls=company[1]) as ews:
        with pytest.raises(Forbidden) as refused:
            exchange_account(ews).open("primary")
        assert "ca: FILE" in refused.value.what_to_do
        assert ews.logins == 0
