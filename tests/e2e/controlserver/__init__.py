# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A scripted Tailscale control server for tests: see server.py."""
from .ca import CA
from .conn import DONE, HOLD, Reply
from .log import Log, Timeout
from .mapframes import big_peers, dumps, frame, zstd
from .model import ZERO_TIME, Tailnet, key_of, make_peer, stamp
from .server import Server, free_port

__all__ = ["CA", "DONE", "HOLD", "Log", "Reply", "Server", "Tailnet", "Timeout", "ZERO_TIME", "big_peers", "dumps",
           "frame",
           "free_port", "key_of", "make_peer", "stamp", "zstd"]
