# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Answers that end (interface.md 3): one that was cut off never passes for a whole one."""
import json
import os
import re
import signal
import subprocess

import pytest
from controlserver import HOLD, big_peers
from harness import AUTH_KEY, BIN, SLOW, until

COUNT = 6000
LISTS = ("wgconf", "wgconf private", "hosts", "peers")
KILLS = ("mapd killed", "daemon killed")  # the kernel kills mapd with its parent
STOPS = KILLS + ("SIGTERM", "shutdown")
TEXT_END = re.compile(r"# end: (\d+) peers, netmapSeq (\d+)\n\Z")
pytestmark = pytest.mark.usefixtures("programs")


@pytest.fixture
def big(server, make_daemon):
    server.tailnet.raw_peers = big_peers(COUNT)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    return d


def end_of(command, text):
    """Number and netmapSeq in the end of an answer; None: it has none."""
    if command == "peers":
        last = text.splitlines()[-1]
        if not last.startswith('{"end":') or not text.endswith("}}\n"):
            return None
        end = json.loads(last)["end"]
        return end["count"], end["netmapSeq"]
    m = TEXT_END.search(text)
    return m and (int(m[1]), int(m[2]))


def stop(d, how):
    if how == "mapd killed":
        os.kill(d.child("mapd"), signal.SIGKILL)
    elif how == "daemon killed":
        d.kill()
    elif how == "SIGTERM":
        os.kill(d.pid, signal.SIGTERM)
    else:
        with d.connect() as s:
            s.sendall(b"shutdown\n")
            s.recv(100)


def rest(s):
    s.settimeout(30 * SLOW)
    parts = []
    while p := s.recv(1 << 20):
        parts.append(p)
    s.close()
    return b"".join(parts)


@pytest.mark.parametrize("count", [0, 1, 40])
def test_the_end_says_how_many_and_of_which_map(server, make_daemon, count):
    server.tailnet.raw_peers = big_peers(count)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    seq = d.netmap()["Seq"]
    for c in LISTS:
        text = d.text(c)
        assert end_of(c, text) == (count, seq), (c, text[-200:])
        assert c == "hosts" or len(re.findall(r'^(?:\[Peer\]|\{"ID").*$', text, re.M)) == count
        assert d.tailnetctl(*c.split()).returncode == 0
    assert end_of("peers", d.text("peers limit=1 after=5")) == (min(count, 1), seq)
    with_end = d.tailnetctl("-j", "peers")
    assert with_end.returncode == 0 and end_of("peers", with_end.stdout) == (count, seq)
    assert '"end"' not in d.tailnetctl("peers").stdout


@pytest.mark.parametrize("how", STOPS)
@pytest.mark.parametrize("command", LISTS + ("netmap",))
def test_what_a_stop_aborts(big, command, how):
    """A client of the socket that reads gets an error line; a process that is killed has no time for one, and then the
    end is missing."""
    s = big.connect()
    s.sendall(command.encode() + b"\n")
    head = s.recv(20000)
    stop(big, how)
    text = (head + rest(s)).decode()
    if command != "netmap":
        assert end_of(command, text) is None, text[-300:]
    if how not in KILLS:
        e = json.loads(text.splitlines()[-1])["error"]
        assert e["code"] == "shutting-down" and "incomplete" in e["message"]


@pytest.mark.parametrize("how", STOPS)
@pytest.mark.parametrize("args", LISTS + ("-j peers", "netmap", "-j netmap"))
def test_tailnetctl_demands_the_end(big, args, how):
    """Whatever could be printed of it. What wg(8) would read ends in a line that it refuses."""
    p = subprocess.Popen([BIN + "/tailnetctl", "-s", big.socket] + args.split(), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    out = os.read(p.stdout.fileno(), 1)  # and it cannot continue
    stop(big, how)
    more, err = p.communicate(timeout=30 * SLOW)
    lines = (out + more).splitlines()
    assert p.returncode == 1, (p.returncode, err, lines[-1])
    assert err or lines[-1].startswith(b'{"error":'), lines[-1]  # with -j the error of the daemon is in the output
    if args in LISTS and args != "peers":
        assert lines[-1].startswith(b'{"error":'), lines[-1]




def test_a_busy_mapd_dies_with_the_private_key_written(big):
    """The parent has written the key, and nothing follows."""
    mapd = big.child("mapd")
    os.kill(mapd, signal.SIGSTOP)
    p = subprocess.Popen([BIN + "/tailnetctl", "-s", big.socket, "wgconf", "private"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    until(lambda: "node private key is given" in big.log())
    os.kill(mapd, signal.SIGKILL)
    got, err = p.communicate(timeout=30 * SLOW)
    assert got.startswith(b"[Interface]\nPrivateKey = ") and b"[Peer]" not in got
    assert p.returncode == 1 and b"incomplete" in err
    assert got.splitlines()[-1].startswith(b'{"error":')


@pytest.mark.parametrize("why", ["usage", "denied", "no netmap", "not running", "no answer"])
def test_wg_refuses_whatever_is_no_configuration(server, make_daemon, why):
    """It would read an empty input as a configuration without peers (A2 of the faults)."""
    d = make_daemon(server, login="manual")
    args = {"usage": ["wgconf", "x"], "no answer": ["-t", "1", "wgconf"]}.get(why, ["wgconf", "private"])
    if why == "not running":
        assert d.stop() == 0
    elif why == "no answer":
        os.kill(d.pid, signal.SIGSTOP)
    who = {"user": "nobody", "group": "_tailnetd", "extra_groups": []} if why == "denied" else {}
    try:
        r = subprocess.run([BIN + "/tailnetctl", "-s", d.socket] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           stdin=subprocess.DEVNULL, cwd="/", **who)
    finally:
        if why == "no answer":
            os.kill(d.pid, signal.SIGCONT)
    assert r.returncode == {"usage": 2, "denied": 4, "no netmap": 6, "not running": 3, "no answer": 8}[why], r
    wg = subprocess.run(["wg", "setconf", "no-such-interface", "/dev/stdin"], input=r.stdout, stderr=subprocess.PIPE)
    assert wg.returncode != 0 and b"Line unrecognized" in wg.stderr, wg.stderr


@pytest.mark.parametrize("how", STOPS)
def test_a_watcher_in_the_middle_of_a_map(big, how):
    s = big.connect()
    s.sendall(b"watch netmap\n")
    head = s.recv(20000)
    stop(big, how)
    lines = (head + rest(s)).decode().splitlines()
    assert json.loads(lines[0])["event"] == "status"
    if how not in KILLS:
        assert json.loads(lines[-1])["error"]["code"] == "shutting-down"


@pytest.mark.parametrize("how", ["SIGTERM", "shutdown", "daemon killed"])
def test_doctor_is_broken_off(server, daemon, how):
    """Steps that went well are no result while the others are missing."""
    server.on_key = lambda req: HOLD
    p = subprocess.Popen([BIN + "/tailnetctl", "-s", daemon.socket, "doctor"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    assert p.stdout.readline().startswith(b"ok ")
    until(lambda: len(server.log.all("http", path="/key")) >= 2, what="the doctor asks for the key")
    stop(daemon, how)
    out, err = p.communicate(timeout=30 * SLOW)
    assert p.returncode == 1 and err and b"FAILED" not in out, (out, err)
