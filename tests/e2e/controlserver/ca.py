# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A certificate authority for one test run, and the wrong certificates that a client must refuse."""
import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def _name(cn):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])


def _san(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class CA:
    def __init__(self, directory):
        self.dir = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("tailnetd test CA")
        now = datetime.datetime.utcnow()
        self.cert = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name).public_key(self.key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256()))
        self.file = os.path.join(directory, "ca.pem")
        with open(self.file, "wb") as f:
            f.write(self.cert.public_bytes(serialization.Encoding.PEM))
        self.serial = 0

    def context(self, names=("127.0.0.1", "::1", "localhost"), expired=False, self_signed=False,
                alpn=("h2", "http/1.1")):
        """A server context.  With ALPN h2 on offer, a client that asks for h2 is found out."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        begin, end = (now - 10 * DAY, now - 5 * DAY) if expired else (now - DAY, now + 10 * DAY)
        subject = _name(names[0])
        cert = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(subject if self_signed else self.name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(begin).not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_san(n) for n in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(key if self_signed else self.key, hashes.SHA256()))
        self.serial += 1
        path = os.path.join(self.dir, "server%d-%d.pem" % (os.getpid(), self.serial))
        with open(path, "wb") as f:
            f.write(cert.public_bytes(serialization.Encoding.PEM))
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()))
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(path)
        if alpn:
            ctx.set_alpn_protocols(list(alpn))
        return ctx
