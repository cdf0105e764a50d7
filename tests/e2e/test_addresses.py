# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A name with two addresses (DIAL-10): one answers TCP and is not the server, the other is."""
import os
import shutil
import socket
import threading

import netns
import pytest
from controlserver import Server
from harness import AUTH_KEY

pytestmark = [pytest.mark.usefixtures("programs"),
              pytest.mark.skipif(netns.why_not() is not None, reason=str(netns.why_not())),
              pytest.mark.xdist_group("netns")]
GOOD = "10.99.0.250"
BAD = {
    "silent": None,
    "closes": b"",
    "502": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "rubbish": b"SSH-2.0-OpenSSH_9.9\r\n",
}


class Impostor(threading.Thread):
    """Accepts and says one thing, or nothing."""

    def __init__(self, address, port, word):
        super().__init__(daemon=True)
        self.word, self.accepted, self.kept = word, 0, []
        self.s = socket.create_server((address, port))
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            self.accepted += 1
            if self.word is None:
                self.kept.append(c)
            else:
                c.recv(65536)
                c.sendall(self.word)
                c.close()

    def stop(self):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
        for c in self.kept:
            c.close()


@pytest.fixture
def net():
    with netns.Net(1) as n:
        netns.sh("ip", "-n", n.middle, "addr", "add", GOOD + "/24", "dev", "br0")
        etc = "/etc/netns/" + n.hosts[0]  # `ip netns exec` mounts its files over those of /etc
        os.makedirs(etc)
        try:
            with open(etc + "/hosts", "w") as f:
                f.write("127.0.0.1 localhost\n%s control.example\n%s control.example\n" % (netns.MIDDLE, GOOD))
            yield n
        finally:
            shutil.rmtree(etc)


@pytest.fixture
def server(net, ca):
    with netns.inside(net.middle):
        s = Server(host=GOOD, tls=ca.context(("control.example",)))
    s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    yield s
    s.stop()


@pytest.mark.rows("DIAL-10")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("word", BAD)
def test_an_impostor_at_the_first_address(net, server, make_daemon, ca, word, scheme):
    port = server.ports["tls" if scheme == "https" else "clear"]
    with netns.inside(net.middle):
        bad = Impostor(netns.MIDDLE, port, BAD[word])
    try:
        d = make_daemon("%s://control.example:%d" % (scheme, port), auth_key=AUTH_KEY, ca_file=ca.file,
                        prefix=["ip", "netns", "exec", net.hosts[0]],
                        **({"server_key": server.noise_public} if scheme == "http" else {}))
        # https: the server's key is asked for at one address at a time, which may take 10 s to give up.
        d.wait_sync(timeout=8 if scheme == "http" else 25)
        assert bad.accepted > 0, "the other address was never the first: this test shows nothing"
        tried = bad.accepted
        d.ctl("reconnect")
        server.log.wait("map-open", n=2)
        d.wait_sync()
        assert bad.accepted == tried, "what has failed is still tried first"
    finally:
        bad.stop()
