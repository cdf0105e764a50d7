# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Frames of a map response as different servers may encode them (protocol.md E.3), and big made-up peer lists."""
import functools
import json
import random
import struct

import zstandard


def dumps(obj):
    return json.dumps(obj, separators=(",", ":")).encode()


def zstd(data, level=1):
    """As the Go servers make it: one frame with content size and checksum."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True).compress(data)


def zstd_no_size(data):
    return zstandard.ZstdCompressor(write_content_size=False, write_checksum=False).compress(data)


def zstd_streaming(data):
    """A frame of several blocks that does not know its size beforehand."""
    c = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    out = b""
    for i in range(0, len(data), 97):
        out += c.compress(data[i:i + 97])
        out += c.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return out + c.flush()


def zstd_several(data):
    """Three frames one after another."""
    a, b = len(data) // 3, 2 * len(data) // 3
    return zstd(data[:a]) + zstd_no_size(data[a:b]) + zstd(data[b:])


def skippable(content=b"skip me", number=0):
    return struct.pack("<II", 0x184D2A50 + number, len(content)) + content


def zstd_skippable(data):
    return skippable() + zstd(data) + skippable(b"", 15)


def zstd_window(data, log):
    """A frame header that asks for a window of 2**log bytes, in raw blocks."""
    out = struct.pack("<IBB", 0xFD2FB528, 0x00, (log - 10) << 3)
    for i in range(0, len(data), 1 << 16):
        part = data[i:i + (1 << 16)]
        last = i + (1 << 16) >= len(data)
        out += struct.pack("<I", (len(part) << 3) | last)[:3] + part
    return out


def bomb(size, byte=b" "):
    """A frame that grows to `size` bytes of JSON white space in front of an object."""
    unit = bytes(byte) * (1 << 20)
    c = zstandard.ZstdCompressor(level=1, write_checksum=False).compressobj()
    out = []
    for _ in range(size >> 20):
        out.append(c.compress(unit))
    out.append(c.compress(b"{}"))
    out.append(c.flush())
    return b"".join(out)


def frame(body):
    return struct.pack("<I", len(body)) + body


# ---- big tailnets ----------------------------------------------------------------------------------------------------

_PEER = (
    '{"ID":%d,"StableID":"n%dCNTRL","Name":"host-%d.example.test.","User":%d,"Key":"nodekey:%s",'
    '"KeyExpiry":"2027-05-%02dT08:%02d:11Z","Machine":"mkey:%s","DiscoKey":"discokey:%s",'
    '"Addresses":["100.%d.%d.%d/32","fd7a:115c:a1e0::%x:%x/128"],'
    '"AllowedIPs":["100.%d.%d.%d/32","fd7a:115c:a1e0::%x:%x/128"],'
    '"Endpoints":["192.0.2.%d:41641","198.51.100.%d:%d","[2001:db8:%x::%x]:41641"],"HomeDERP":%d,'
    '"Hostinfo":{"OS":"linux","OSVersion":"6.1.0-%d-amd64","Hostname":"host-%d","Services":'
    '[{"Proto":"peerapi4","Port":%d},{"Proto":"peerapi6","Port":%d}],"NetInfo":{"PreferredDERP":%d}},'
    '"Created":"2026-03-%02dT10:00:00.123456789Z","Cap":131,"Tags":["tag:server","tag:site-%d"],'
    '"LastSeen":"2026-09-%02dT11:%02d:00Z","Online":%s,"MachineAuthorized":true,'
    '"CapMap":{"https://tailscale.com/cap/file-sharing-target":null,"funnel":[],"probe":[{"n":%d,"s":"%s"}]}}')


def peer_bytes(i, r):
    """One peer of about 1 KB as JSON."""
    k = r.getrandbits(768)
    a, b, c = 64 + (i >> 16 & 63), i >> 8 & 255, i & 255
    x, y = i >> 16, i & 0xFFFF
    derp, port = 1 + i % 20, 1024 + r.getrandbits(15)
    return (_PEER % (
        i, i, i, 1 + i % 50, "%064x" % (k & (1 << 256) - 1), 1 + i % 28, i % 60, "%064x" % (k >> 256 & (1 << 256) - 1),
        "%064x" % (k >> 512), a, b, c, x, y, a, b, c, x, y, i & 255, c, port, x, y, derp, i % 30, i, port, port, derp,
        1 + i % 28, i % 40, 1 + i % 28, i % 60, "true" if i % 3 else "false", i,
        "%032x" % (k & (1 << 128) - 1))).encode()


@functools.lru_cache(maxsize=4)
def big_peers(n, first=1001, seed=1):
    """n peers with ids from `first` on, as the inside of a JSON array."""
    r = random.Random(seed)
    return b",".join(peer_bytes(first + i, r) for i in range(n))
