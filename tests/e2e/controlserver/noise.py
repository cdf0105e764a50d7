# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Noise IK for the ts2021 transport (protocol.md C.3 to C.5): responder, initiator and record layer.

Written from the protocol description alone; shares nothing with the C code that it tests.
"""
import hashlib
import hmac
import os
import struct

from nacl import bindings
from nacl.exceptions import CryptoError

NAME = b"Noise_IK_25519_ChaChaPoly_BLAKE2s"
PROLOGUE = b"Tailscale Control Protocol v%d"
INIT_LEN = 101
MAX_FRAME = 4096
MAX_PLAIN = 4077
ZERO_NONCE = bytes(12)
RECORD, ERROR = 4, 3


class NoiseError(Exception):
    pass


def blake2s(data):
    return hashlib.blake2s(data).digest()


def hkdf2(ck, ikm):
    prk = hmac.new(ck, ikm, hashlib.blake2s).digest()
    one = hmac.new(prk, b"\x01", hashlib.blake2s).digest()
    two = hmac.new(prk, one + b"\x02", hashlib.blake2s).digest()
    return one, two


def new_private():
    k = bytearray(os.urandom(32))
    k[0] &= 248
    k[31] = (k[31] & 127) | 64
    return bytes(k)


def public(private):
    return bindings.crypto_scalarmult_base(private)


def dh(private, pub):
    try:
        out = bindings.crypto_scalarmult(private, pub)
    except Exception as e:  # a low-order point
        raise NoiseError("X25519: %s" % e)
    if out == bytes(32):
        raise NoiseError("X25519: all-zero result")
    return out


def seal(key, nonce, ad, plain):
    return bindings.crypto_aead_chacha20poly1305_ietf_encrypt(plain, ad, nonce, key)


def unseal(key, nonce, ad, box):
    try:
        return bindings.crypto_aead_chacha20poly1305_ietf_decrypt(box, ad, nonce, key)
    except (CryptoError, ValueError) as e:
        raise NoiseError("decryption failed: %s" % e)


class Symmetric:
    def __init__(self, version):
        self.h = self.ck = blake2s(NAME)
        self.k = None
        self.mix_hash(PROLOGUE % version)

    def mix_hash(self, data):
        self.h = blake2s(self.h + data)

    def mix_key(self, secret):
        self.ck, self.k = hkdf2(self.ck, secret)

    def encrypt(self, plain):
        box = seal(self.k, ZERO_NONCE, self.h, plain)
        self.mix_hash(box)
        return box

    def decrypt(self, box):
        plain = unseal(self.k, ZERO_NONCE, self.h, box)
        self.mix_hash(box)
        return plain

    def split(self):
        return hkdf2(self.ck, b"")


class Responder:
    """The server's half.  read() takes the 101 bytes, write() gives the 51 bytes."""

    def __init__(self, static, ephemeral=None):
        self.static = static
        self.ephemeral = ephemeral or new_private()
        self.version = None
        self.client = None  # the client's machine key, once proven
        self.secrets = {}  # es, ss, ee, se: what only the two ends may ever know

    def read(self, msg):
        if len(msg) != INIT_LEN:
            raise NoiseError("initiation of %d bytes" % len(msg))
        self.version, kind, length = struct.unpack(">HBH", msg[:5])
        if kind != 1 or length != 96:
            raise NoiseError("initiation header %s" % msg[:5].hex())
        s = self.sym = Symmetric(self.version)
        s.mix_hash(public(self.static))
        self.re = msg[5:37]
        s.mix_hash(self.re)
        s.mix_key(self.shared("es", self.static, self.re))
        self.client = s.decrypt(msg[37:85])
        s.mix_key(self.shared("ss", self.static, self.client))
        s.decrypt(msg[85:101])

    def shared(self, name, private, pub):
        self.secrets[name] = dh(private, pub)
        return self.secrets[name]

    def write(self):
        s = self.sym
        e = public(self.ephemeral)
        s.mix_hash(e)
        s.mix_key(self.shared("ee", self.ephemeral, self.re))
        s.mix_key(self.shared("se", self.ephemeral, self.client))
        tag = s.encrypt(b"")
        self.c2s, self.s2c = s.split()
        return struct.pack(">BH", 2, 48) + e + tag


class Initiator:
    """The client's half, for the server's own tests and for hostile clients."""

    def __init__(self, static, server_pub, version, ephemeral=None):
        self.static, self.server_pub, self.version = static, server_pub, version
        self.ephemeral = ephemeral or new_private()

    def write(self):
        s = self.sym = Symmetric(self.version)
        s.mix_hash(self.server_pub)
        e = public(self.ephemeral)
        s.mix_hash(e)
        s.mix_key(dh(self.ephemeral, self.server_pub))
        c1 = s.encrypt(public(self.static))
        s.mix_key(dh(self.static, self.server_pub))
        c2 = s.encrypt(b"")
        return struct.pack(">HBH", self.version, 1, 96) + e + c1 + c2

    def read(self, msg):
        if len(msg) != 51 or msg[:3] != b"\x02\x00\x30":
            raise NoiseError("response %s" % msg[:3].hex())
        s = self.sym
        re = msg[3:35]
        s.mix_hash(re)
        s.mix_key(dh(self.ephemeral, re))
        s.mix_key(dh(self.static, re))
        s.decrypt(msg[35:51])
        self.c2s, self.s2c = s.split()


class Sender:
    def __init__(self, key):
        self.key, self.n = key, 0

    def record(self, plain):
        """One record.  The nonce counter is big endian (protocol.md C.5)."""
        box = seal(self.key, bytes(4) + struct.pack(">Q", self.n), b"", plain)
        self.n += 1
        return struct.pack(">BH", RECORD, len(box)) + box

    def records(self, data, size=MAX_PLAIN):
        return b"".join(self.record(data[i:i + size]) for i in range(0, len(data), size))


class Receiver:
    def __init__(self, key):
        self.key, self.n = key, 0

    def open(self, box):
        nonce = bytes(4) + struct.pack(">Q", self.n)
        self.n += 1
        return unseal(self.key, nonce, b"", box)
