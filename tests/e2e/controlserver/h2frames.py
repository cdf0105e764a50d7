# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""HTTP/2 frames, also those that no library would send."""
import struct

DATA, HEADERS, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONT = 0, 1, 3, 4, 5, 6, 7, 8, 9


def frame(kind, flags=0, sid=0, payload=b"", length=None):
    n = len(payload) if length is None else length
    return struct.pack(">I", n)[1:] + bytes([kind, flags]) + struct.pack(">I", sid) + payload
