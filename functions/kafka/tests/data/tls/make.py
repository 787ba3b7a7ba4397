"""Generates the certificates in this folder: python3 make.py (needs `cryptography`)."""

from datetime import datetime, timezone
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

START = datetime(2025, 1, 1, tzinfo=timezone.utc)
PAST = datetime(2026, 1, 1, tzinfo=timezone.utc)
NEVER = datetime(2125, 1, 1, tzinfo=timezone.utc)


def name(common_name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def certificate(subject, issuer, key, issuer_key, until, names):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder.sign(issuer_key, hashes.SHA256())


def write(file, *parts):
    with open(file, "wb") as out:
        out.writelines(parts)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def main():
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = certificate("test CA", "test CA", ca_key, ca_key, NEVER, [])
    write("ca.pem", ca.public_bytes(serialization.Encoding.PEM))
    here = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    other_ca_key = ec.generate_private_key(ec.SECP256R1())
    for file, issuer, issuer_key, until, names in [
        ("valid.pem", "test CA", ca_key, NEVER, here),
        ("expired.pem", "test CA", ca_key, PAST, here),
        ("other-name.pem", "test CA", ca_key, NEVER, [x509.DNSName("kafka.example")]),
        ("other-ca.pem", "another CA", other_ca_key, NEVER, here),
    ]:
        key = ec.generate_private_key(ec.SECP256R1())
        made = certificate("broker", issuer, key, issuer_key, until, names)
        write(file, made.public_bytes(serialization.Encoding.PEM), pem(key))


main()
