# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A name service of a test's own, in namespaces."""
import ctypes
import os
import socket
import struct
import subprocess
import threading

import pytest
from netns import CLONE_NEWNET, sh


class NameService:
    """A network of its own with a name server, self.server, that never answers by itself: a look-up there takes a long
    time.  How the daemon is started in it: prefix."""
    FILES = {"/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:30\n", "/etc/nsswitch.conf": "hosts: dns\n"}

    def __init__(self, directory, files=None, script="set -e; "):
        """files: other contents of /etc, by path; script: what is done first."""
        for path, text in (self.FILES if files is None else files).items():
            own = os.path.join(directory, os.path.basename(path))
            with open(own, "w") as f:
                f.write(text)
            os.chmod(own, 0o644)
            script += "mount --bind %s %s; " % (own, path)
        self.prefix = ["unshare", "-m", "sh", "-c", script + 'exec "$@"', "sh"]

    def start(self, run):
        """run() in it, in a thread that belongs to it."""
        failed = []

        def work():
            try:
                if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == -1:
                    raise OSError(ctypes.get_errno(), "unshare")
                sh("ip", "link", "set", "lo", "up")
                self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.server.bind(("127.0.0.1", 53))
                sh(*self.prefix, "true")
            except (OSError, subprocess.SubprocessError) as e:
                failed.append(e)
                return
            run()
        t = threading.Thread(target=work)
        t.start()
        t.join()
        if failed:
            pytest.skip("no namespaces here: %s" % getattr(failed[0], "stderr", failed[0]))

    def answer_late(self, address, seconds):
        """Each question is answered some seconds after it was received: A with address, others with nothing."""
        def reply(query, where):
            end = query.index(b"\0", 12) + 5
            kind = struct.unpack("!H", query[end - 4:end - 2])[0]
            head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, kind == 1, 0, 0) + query[12:end]
            rr = struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + socket.inet_aton(address)
            self.server.sendto(head + (rr if kind == 1 else b""), where)

        def serve():
            try:
                while True:
                    t = threading.Timer(seconds, reply, self.server.recvfrom(512))
                    t.daemon = True
                    t.start()
            except OSError:
                pass  # closed: the test is over
        threading.Thread(target=serve, daemon=True).start()
