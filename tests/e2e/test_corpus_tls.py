# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The malicious-server corpus of security.md 5.4: TLS and /key.  test_corpus.py has the list.

Some of it no Python server can send: that uses libssl directly.
"""
import contextlib
import ctypes
import ctypes.util
import datetime
import ipaddress
import os
import socket
import ssl
import subprocess
import struct
import threading
import time
import warnings

import pytest
from controlserver import Reply
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from harness import AUTH_KEY, SANITIZED, SLOW, peak, until

pytestmark = pytest.mark.usefixtures("programs")
DAY = datetime.timedelta(days=1)


def authority(name, key, issuer, issuer_key, ca=True, names=(), filler=0):
    now = datetime.datetime.utcnow()
    b = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
         .serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + DAY)
         .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
    if names or filler:
        b = b.add_extension(x509.SubjectAlternativeName(
            list(names) + [x509.DNSName("x%d.%s.example" % (i, "y" * 50)) for i in range(filler)]), critical=False)
    return b.sign(issuer_key, hashes.SHA256())


def chain(ca, depth, filler=0):
    """A server context whose certificate has `depth` others between itself and the CA's."""
    issuer, issuer_key, certs = ca.name, ca.key, []
    for i in range(depth):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "step %d" % i)])
        certs.insert(0, authority(name, key, issuer, issuer_key))
        issuer, issuer_key = name, key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
    certs.insert(0, authority(name, key, issuer, issuer_key, False, [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))],
                              filler))
    ca.serial += 1
    path = os.path.join(ca.dir, "chain%d-%d.pem" % (os.getpid(), ca.serial))
    with open(path, "wb") as f:
        for c in certs:
            f.write(c.public_bytes(serialization.Encoding.PEM))
        f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption()))
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(path)
    ctx.pem = path
    return ctx


def old_tls(ca):
    ctx = ca.context(alpn=())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ctx.minimum_version, ctx.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    return ctx


def tls_1_2(ca):
    ctx = ca.context()
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    return ctx


BAD_TLS = {
    "07-chain-of-50": (lambda ca: chain(ca, 50), "certificate", True),
    "07-chain-of-10": (lambda ca: chain(ca, 10), "certificate", True),
    "08-64-kib-certificate": (lambda ca: chain(ca, 0, 1000), None, True),
    "08-200-kib-of-certificates": (lambda ca: chain(ca, 2, 3000), "TLS", False),
    "09-tls-1.0": (old_tls, "TLS", False),
    "09-tls-1.2": (tls_1_2, None, True),
}


@pytest.mark.rows("KEY-05", "DIAL-06")
@pytest.mark.parametrize("name", BAD_TLS)
def test_certificates_and_versions(make_server, make_daemon, ca, name):
    """For /key it must be right; where Noise proves who the server is it need not be, but it costs no more than is
    allowed."""
    make, word, camouflage = BAD_TLS[name]
    ctx = make(ca)
    if "64-kib" in name:
        with open(ctx.pem) as f:
            assert 60000 < len(ssl.PEM_cert_to_DER_cert(f.read().split("-----BEGIN PRIVATE")[0])) < 80000
    s = make_server(tls=ctx)
    s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    d = make_daemon(s.tls_url, auth_key=AUTH_KEY, ca_file=ca.file)
    if word is None:
        d.wait_sync()
    else:
        st = d.wait_err(word)
        assert st["errSource"] == "auth"
        assert not s.log.all("http"), "something was asked of a server that has not proved itself"
    d.stop()
    e = make_daemon(s.tls_url, auth_key=AUTH_KEY, server_key=s.noise_public, ca_file=ca.file)
    if camouflage:
        e.wait_sync()
    else:
        e.wait_err(word)
        assert not s.log.all("http")
    # With a certificate that is right the same daemon gets in.
    e.stop()
    s.unlisten()
    make_server(tls=ca.context(), tls_port=s.ports["tls"], tailnet=s.tailnet, noise_key=s.noise_key)
    d.start()
    d.wait_sync(timeout=60)
    assert not d.log().count("died of")


OPENSSL_CNF = {  # with these OpenSSL can do nothing
    "null-provider": "openssl_conf = init\n[init]\nproviders = p\n[p]\nnull = n\n[n]\nactivate = 1\n",
    "fips-only": "openssl_conf = init\n[init]\nalg_section = a\n[a]\ndefault_properties = fips=yes\n",
}


@pytest.mark.rows("KEY-05", "PRIV-02")
@pytest.mark.parametrize("name", OPENSSL_CNF)
def test_the_systems_openssl_cnf_is_not_read(tls_server, make_daemon, ca, tmp_path, name):
    """It could name a provider, which would be loaded as root, before the sandbox."""
    cnf = tmp_path / "openssl.cnf"
    cnf.write_text(OPENSSL_CNF[name])
    folder = subprocess.run(["openssl", "version", "-d"], capture_output=True, text=True, check=True).stdout
    real = os.path.realpath(os.path.join(folder.split('"')[1], "openssl.cnf"))
    inside = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', str(cnf), real]
    # It is one that does it: the openssl command, which reads it, can do nothing with it.
    assert subprocess.run([*inside, "openssl", "sha256", str(cnf)], capture_output=True).returncode != 0
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=ca.file, prefix=inside)
    d.wait_sync()
    assert "child-crash" not in str(d.status()["health"])


@pytest.mark.rows("KEY-05")
@pytest.mark.parametrize("depth", [8, 9])
def test_07_chain_depth(make_server, make_daemon, ca, depth):
    """security.md D15: 8 certificates between the server's and the trust anchor, not 9."""
    s = make_server(tls=chain(ca, depth))
    s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    d = make_daemon(s.tls_url, auth_key=AUTH_KEY, ca_file=ca.file)
    if depth == 8:
        d.wait_sync()
    else:
        d.wait_err("certificate", "long")
        assert not s.log.all("http")


@pytest.mark.rows("KEY-04", "KEY-05")
def test_13_clear_text_where_tls_should_be(server, make_daemon):
    """A server that waits for the end of a request that never ends."""
    d = make_daemon("https://127.0.0.1:%d" % server.port, auth_key=AUTH_KEY)
    s = d.wait_err("TLS")
    assert s["err"].isprintable() and not server.log.all("http") and not server.log.all("register")
    assert d.process("authd")["restarts"] == 0


@pytest.mark.rows("KEY-04")
@pytest.mark.parametrize("where", ["http", "file", "loop", "https"])
def test_15_redirects_of_the_key(tls_server, make_server, make_daemon, ca, where):
    other = make_server()
    to = {"http": other.url + "/key", "file": "file:///etc/passwd", "loop": tls_server.tls_url + "/key",
          "https": "https://127.0.0.1:%d/key" % other.port}[where]
    tls_server.on_key = lambda req: Reply(302, b"", [("Location", to)])
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=ca.file)
    d.wait_err("302")
    assert not other.log.all("accept") and not tls_server.log.all("register")
    tls_server.on_key = None
    d.wait_sync(timeout=60)


# ---- with libssl itself ----------------------------------------------------------------------------------------------

def libssl():
    lib = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
    for name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
        getattr(lib, name).restype = ctypes.c_void_p
    for name in ("SSL_CTX_new", "SSL_new", "SSL_free", "SSL_CTX_free", "SSL_accept", "SSL_do_handshake",
                 "SSL_new_session_ticket"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    lib.SSL_CTX_use_certificate_chain_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    lib.SSL_CTX_use_PrivateKey_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    lib.SSL_set_fd.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.SSL_read.argtypes = lib.SSL_write.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    return lib


class RawTLS:
    """A TLS server that answers /key after doing something odd.  act(lib, ssl) sends what it likes."""

    def __init__(self, pem, act, answer):
        self.lib, self.act, self.answer = libssl(), act, answer
        self.ctx = self.lib.SSL_CTX_new(self.lib.TLS_server_method())
        assert self.lib.SSL_CTX_use_certificate_chain_file(self.ctx, pem.encode()) == 1
        assert self.lib.SSL_CTX_use_PrivateKey_file(self.ctx, pem.encode(), 1) == 1
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(50)
        self.port, self.served, self.acted, self.closed = self.sock.getsockname()[1], 0, 0, False
        self.threads = [threading.Thread(target=self._run, daemon=True)]
        self.threads[0].start()

    def _run(self):
        while not self.closed:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            t = threading.Thread(target=self._serve, args=(c,), daemon=True)
            self.threads.append(t)
            t.start()

    def _serve(self, c):
        with c:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 30, 0))
            s = self.lib.SSL_new(self.ctx)
            self.lib.SSL_set_fd(s, c.fileno())
            buf = ctypes.create_string_buffer(4096)
            if self.lib.SSL_accept(s) == 1 and self.lib.SSL_read(s, buf, 4096) > 0:
                self.served += 1
                self.acted += self.act(self.lib, s) or 0
                self.lib.SSL_write(s, self.answer, len(self.answer))
            self.lib.SSL_free(s)

    def stop(self):
        self.closed = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for t in self.threads:
            t.join(40)
        self.lib.SSL_CTX_free(self.ctx)


def tickets(lib, s):
    """1e5 of them."""
    for i in range(100000):
        if lib.SSL_new_session_ticket(s) != 1 or lib.SSL_do_handshake(s) != 1:
            return i
    return 100000


def key_updates(lib, s):
    """Each wants one back, and none of those is read."""
    for i in range(100000):
        if lib.SSL_key_update(s, 1) != 1 or lib.SSL_do_handshake(s) != 1:
            return i
    return 100000


@pytest.mark.rows("KEY-04", "KEY-05")
@pytest.mark.parametrize("name", ["10-tickets", "11-key-updates", "12-cut-without-notify"])
def test_floods_inside_tls(make_server, make_daemon, ca, name):
    """What is no data either ends and a good answer follows, or is given up in 15 s; it costs no
    memory."""
    s = make_server(tls=ca.context())
    s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    body = b'{"publicKey":"%s"}' % s.noise_public.encode()
    head = b"HTTP/1.1 200 OK\r\n" + (b"" if name[:2] == "12" else b"Content-Length: %d\r\n" % len(body)) + b"\r\n"
    act = {"10": tickets, "11": key_updates, "12": lambda lib, s: 1}[name[:2]]
    raw = RawTLS(chain(ca, 0).pem, act, head + body)
    top = [0]
    try:
        d = make_daemon("https://127.0.0.1:%d" % raw.port, auth_key=AUTH_KEY, ca_file=ca.file)
        t = time.monotonic()

        def over():
            pid = d.process("authd")["pid"]
            with contextlib.suppress(OSError, KeyError):
                top[0] = max(top[0], peak(pid) if pid else 0)
            st = d.status()
            return st["err"] or st["serverKey"]
        until(over, 25 * SLOW, "an end of it", every=0.01)
        st = d.status()
        if name[:2] == "12":  # a body that ends with the connection is not whole without close_notify
            assert "cut off" in st["err"] and st["serverKey"] == ""
        assert raw.acted > 0 or raw.served > 0
        assert time.monotonic() - t < 20 * SLOW and (SANITIZED or 0 < top[0] < 64 << 20), top
        assert "died of" not in d.log()
    finally:
        raw.stop()
    make_server(tls=ca.context(), tls_port=raw.port, tailnet=s.tailnet, noise_key=s.noise_key)
    d.wait_sync(timeout=60)
