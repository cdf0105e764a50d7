# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""How many round trips pass from the first SYN to the netmap: the fewest there can be.  trips.py counts them."""
import pytest
from harness import AUTH_KEY
from trips import Trips, at_most

pytestmark = pytest.mark.usefixtures("programs")


@pytest.fixture
def start(tls_server, make_daemon, ca):
    """start(t, scheme, ...): a daemon that is not started, behind that proxy."""
    def make(t, scheme, **conf):
        if scheme == "https":
            conf["ca_file"] = ca.file
        return make_daemon(t.tls_url if scheme == "https" else t.url, auth_key=AUTH_KEY, start=False, **conf)
    return make


def again(t, d):
    """A start with what the one before has left on the disk."""
    n = t.until_synced(d)
    assert d.stop() == 0
    return n


@pytest.mark.parametrize("settings", ["with the 101", "in pieces", "after the preface"])
@pytest.mark.parametrize("scheme, how, limit", [("http", {}, 4), ("https", {}, 5), ("https", {"transport": "tls"}, 5)])
def test_warm(tls_server, start, scheme, how, limit, settings):
    """The key is pinned.  SYN, (TLS,) upgrade, register, map: mapd connects while authd registers, without waiting for
    SETTINGS."""
    f = tls_server.faults
    f.cork, f.settings_after_preface = settings == "with the 101", settings == "after the preface"
    with Trips(tls_server) as t:
        d = start(t, scheme, **how)
        again(t, d)
        assert at_most(limit, lambda: again(t, d)) == limit
    assert tls_server.log.count("register") >= 2 and tls_server.log.count("http", path="/key") == 1
    tls_server.check()


@pytest.mark.parametrize("scheme, how, limit", [("http", {}, 6), ("https", {}, 8), ("https", {"transport": "tls"}, 8)])
def test_first(tls_server, start, scheme, how, limit):
    """SYN, (TLS,) /key; and then as a warm start."""
    with Trips(tls_server) as t:
        assert at_most(limit, lambda: again(t, start(t, scheme, **how))) == limit
    tls_server.check()


def test_first_with_a_configured_key(tls_server, start):
    """Nothing is asked before the login."""
    with Trips(tls_server) as t:
        assert at_most(4, lambda: again(t, start(t, "http", server_key=tls_server.noise_public))) == 4


def test_one_request_more_is_seen(tls_server, start):
    """The proof of the counter: a server that wants another register makes it one trip more."""
    with Trips(tls_server) as t:
        d = start(t, "http")
        again(t, d)
        known = tls_server.node().key
        tls_server.on_register = lambda req: {"NodeKeyExpired": True} if req.json["NodeKey"] == known else None
        assert again(t, d) >= 5
