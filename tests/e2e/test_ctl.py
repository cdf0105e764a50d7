# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""tailnetctl against the daemon (interface.md 8): what is waited for and for how long, and what reaches a terminal."""
import contextlib
import ctypes
import json
import os
import pty
import signal
import socket
import subprocess
import termios
import threading
import time
import unicodedata

import pytest
from controlserver import HOLD
from harness import AUTH_KEY, BIN, SLOW, Ctl, until

pytestmark = pytest.mark.usefixtures("programs")


def begin(d, *args):
    return Ctl(d, *args)


def connections(d):
    """Those to its control socket."""
    with open("/proc/net/unix") as f:
        return sum(x[5] == "03" and x[7:] == [d.socket] for x in map(str.split, f))


def end(p, timeout=20):
    out, err = p.communicate(timeout=timeout)
    return p.returncode, out, err


def test_login_waits(server, make_daemon):
    """For the visit, and to the second for --timeout: earlier events do not delay it."""
    d = make_daemon(server)
    p = begin(d, "login")
    url = d.wait_state("url-visit-required")["url"]
    time.sleep(0.5)
    assert p.poll() is None
    server.complete(url)
    code, out, _ = end(p)
    assert code == 0 and out.count(url) == 1 and "Logged in as alice@example.test" in out
    d.ctl("logout")
    for args in (["login", "--timeout", "2"], ["-q", "login", "--timeout", "2"], ["-j", "login", "--timeout", "2"]):
        t = time.monotonic()
        code, out, err = end(begin(d, *args), timeout=20)
        assert code == 8 and 2 <= time.monotonic() - t < 2 + 3 * SLOW, (args, code, out, err)
        url = d.wait_state("url-visit-required")["url"]
        assert (out, err) == ("", "") if "-q" in args else url in out
        if "-j" in args:
            assert all(isinstance(json.loads(line), dict) for line in out.splitlines())
    server.on_register = lambda req: HOLD
    t = time.monotonic()
    assert end(begin(d, "login", "--timeout", "2"))[0] == 8 and time.monotonic() - t < 2 + 3 * SLOW


def test_login_without_waiting(server, make_daemon):
    d = make_daemon(server)
    code, out, _ = end(begin(d, "login", "--no-wait"))
    url = d.status()["url"]
    assert code == 0 and url and url in out
    code, out, _ = end(begin(d, "wait", "--for", "url", "--timeout", "5"))
    assert (code, out) == (0, url + "\n")
    code, out, _ = end(begin(d, "-j", "wait", "--for", "url", "--timeout", "5"))
    assert code == 0 and json.loads(out)["status"]["url"] == url, "with -j, too, there is what was waited for"
    assert end(begin(d, "status", "--check"))[0] == 5
    d.set_auth_key(AUTH_KEY)
    assert end(begin(d, "login", "--no-wait", "--auth-key-file", d.key_file)) == (0, "", "")
    d.wait_sync()
    assert end(begin(d, "-q", "wait", "--timeout", "5")) == (0, "", "") and end(begin(d, "status", "--check"))[0] == 0


class QRcode(ctypes.Structure):
    _fields_ = [("version", ctypes.c_int), ("width", ctypes.c_int), ("data", ctypes.POINTER(ctypes.c_ubyte))]


def qr_rows(text):
    """The code of a text, "#" for each dark module, by the library that tailnetctl is linked with."""
    lib = ctypes.CDLL("libqrencode.so.4")
    lib.QRcode_encodeString8bit.restype = ctypes.POINTER(QRcode)
    q = lib.QRcode_encodeString8bit(text.encode(), 0, 0).contents  # any version, level L
    return ["".join(".#"[q.data[y * q.width + x] & 1] for x in range(q.width)) for y in range(q.width)]


def test_login_qr(server, make_daemon):
    """The code follows the URL on stdout, where the URL is; two modules around it and one in the last line below are
    light."""
    d = make_daemon(server)
    code, out, err = end(begin(d, "login", "--no-wait", "--qr"))
    url = d.status()["url"]
    assert (code, err) == (0, "") and out.count(url) == 1
    rows = []
    for line in out.split(url)[1].strip("\n").split("\n"):
        two = [{"\u2588": "..", "\u2580": ".#", "\u2584": "#.", " ": "##"}[c] for c in line]
        rows += ["".join(x[i] for x in two) for i in range(2)]
    want = ["..%s.." % r for r in qr_rows(url)]
    light = "." * len(want[0])
    assert rows == [light] * 2 + want + [light] * 3 and len(want) >= 21
    code, plain, _ = end(begin(d, "login", "--no-wait"))
    assert code == 0 and not set(plain) & set("\u2588\u2580\u2584")
    for flag in ("-q", "-j"):
        code, out, err = end(begin(d, flag, "login", "--no-wait", "--qr"))
        assert (code, err) == (0, "") and not set(out) & set("\u2588\u2580\u2584"), flag


def test_login_that_fails_as_the_one_before(server, make_daemon):
    """An error that existed before is reported nevertheless if the new login has it too."""
    d = make_daemon(server, auth_key=AUTH_KEY, start=False)
    os.unlink(d.key_file)
    d.start()
    d.wait_err("No such file")
    for args, code in ((["--timeout", "1"], 8), (["--timeout", "5"], 8), (["--no-wait"], 1)):
        p = begin(d, "login", *args)
        got, out, err = end(p)
        assert (got, out) == (code, "") and err.count(d.key_file + ": No such file") == 1, (args, got, out, err)
    d.set_auth_key(AUTH_KEY)
    assert end(begin(d, "login", "--timeout", "10"))[0] == 0


def test_check_after_a_restart(server, make_daemon):
    """No login is needed where only the server is unreachable: 6 of interface.md 8, not 5."""
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    server.unlisten()
    server.drop_all()
    d.restart()
    d.wait_err("refused")
    assert d.tailnetctl("status", "--check").returncode == 6
    d.ctl("pause")
    d.restart()
    assert d.tailnetctl("status", "--check").returncode == 6
    d.ctl("logout force")
    assert d.tailnetctl("status", "--check").returncode == 5


def test_what_ends_a_wait(server, make_daemon):
    """The logout of another user, and the end of the daemon."""
    d = make_daemon(server)
    p = begin(d, "login")
    d.wait_state("url-visit-required")
    d.ctl("logout")
    code, _, err = end(p)
    assert code == 1 and "cancelled by a logout" in err
    waiting = [begin(d, *args) for args in (["login"], ["wait"], ["wait", "--for", "authenticated"], ["watch"],
                                            ["-j", "watch"])]
    d.wait_state("url-visit-required")
    until(lambda: connections(d) == len(waiting), 10 * SLOW, "all of them are connected")
    assert not [p for p in waiting if p.poll() is not None]
    assert d.stop() == 0
    assert [end(p)[0] for p in waiting] == [3] * len(waiting)


@pytest.mark.rows("OUT-04")
def test_logout_that_fails_names_the_way_out(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    server.unlisten()
    server.drop_all()
    code, out, err = end(begin(d, "logout"))
    assert (code, out) == (1, "") and "Connection refused" in err and "logout force" in err.splitlines()[1]
    code, out, err = end(begin(d, "-j", "logout"))
    assert code == 1 and json.loads(out)["error"] and not err
    assert end(begin(d, "logout", "force")) == (0, "", "") and end(begin(d, "logout")) == (0, "", "")


def terminal(d, *args, **env):
    """What it writes to a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        path = os.path.join(BIN, "tailnetctl")
        os.execve(path, [path, "-s", d.socket] + list(args), dict({"TERM": "xterm", "PATH": "/usr/bin:/bin"}, **env))
    out = b""
    while True:
        try:
            p = os.read(fd, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not p:
            break
        out += p
    os.close(fd)
    assert os.waitpid(pid, 0)[1] == 0
    return out.decode()


def test_on_a_terminal(server, make_daemon):
    """Colours are for a terminal only, and not for everybody's; nothing that the server sent is obeyed there, JSON or
    not."""
    odd = "a\x1b[31mb\u009b32mc\x7fd\r\x07\u0080"
    server.tailnet.default_user.login = odd
    server.tailnet.extra = {"Domain": odd, "Health": [odd]}
    server.tailnet.add_peer(7, Name=odd + ".example.", Hostinfo={"OS": odd, "Hostname": odd})
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    for args in (["status"], ["netmap"], ["peers"], ["peer", "7"], ["processes"], ["hosts"], ["wgconf"], ["metrics"],
                 ["doctor"],
                 ["server-key"]):
        plain = end(begin(d, *args))
        assert plain[0] == 0 and plain[2] == ""
        for text in (plain[1], terminal(d, *args, NO_COLOR="1"), terminal(d, "-j", *args),
                     end(begin(d, "-j", *args))[1]):
            text = text.replace("\r\n", "\n")
            assert not [c for c in text if ord(c) < 32 and c not in "\n\t" or 0x7f <= ord(c) < 0xa0], (args, text)
        shown = terminal(d, *args)
        if args[0] in ("status", "doctor", "peer"):
            assert "\x1b[32m" in shown and "\x1b" not in terminal(d, *args, TERM="dumb")
    assert json.loads(end(begin(d, "-j", "peer", "7"))[1])["Hostinfo"]["Hostname"] == odd
    p = begin(d, "-j", "watch", "netmap")
    events = [json.loads(p.line()) for _ in range(2)]
    p.terminate()
    assert events[1]["netmap"]["Domain"] == odd


def test_auth_key_prompt(server, make_daemon):
    """The key is not shown, and a terminal that echoes is left behind by whatever ends or stops the question."""
    d = make_daemon(server)
    master, slave = os.openpty()

    def echoes():
        return bool(termios.tcgetattr(slave)[3] & termios.ECHO)

    # a group of its own, which can be stopped; nothing ignored that ignores who started us (nohup, &)
    def as_from_a_shell():
        os.setpgid(0, 0)
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP):
            signal.signal(sig, signal.SIG_DFL)

    def ask():
        p = subprocess.Popen([os.path.join(BIN, "tailnetctl"), "-s", d.socket, "login", "--auth-key-file", "-",
                              "--no-wait"],
                             stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=as_from_a_shell)
        assert p.stderr.read(10) == b"Auth key: "
        until(lambda: not echoes())
        return p

    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        p = ask()
        until(lambda p=p, sig=sig: p.poll() is not None or p.send_signal(sig))  # the first may come before it reads
        assert end(p) == (-sig, b"", b"\n") and echoes()
    p = ask()
    until(lambda: p.send_signal(signal.SIGTSTP) or echoes())
    p.send_signal(signal.SIGCONT)
    assert p.stderr.read(11) == b"\nAuth key: "
    until(lambda: not echoes())
    os.write(master, AUTH_KEY.encode() + b"\n")
    assert end(p) == (0, b"", b"\n") and echoes()
    d.wait_sync()
    os.close(master)
    os.close(slave)


def test_no_answer(tmp_path):
    """A daemon that ends has not reported an empty answer: none is."""
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(5)

        def hang_up():
            with contextlib.suppress(OSError):
                while True:
                    c, _ = listener.accept()
                    c.recv(4096)
                    c.close()
        threading.Thread(target=hang_up, daemon=True).start()
        for verb, want in (("wgconf", 1), ("metrics", 1), ("status", 1), ("netmap", 1), ("pause", 1), ("doctor", 1),
                           ("wait", 3),
                           ("watch", 3), ("hosts", 1), ("peers", 1)):
            for flags in ([], ["-j"], ["-q"]):
                p = subprocess.run([os.path.join(BIN, "tailnetctl"), "-s", path] + flags + [verb],
                                   stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
                assert p.returncode == want, (flags, verb, p)
                assert bool(p.stderr) == (want != 0 and "-q" not in flags), (flags, verb, p)
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.rows("INT-02")
def test_login_waits_for_the_map(server, make_daemon, tmp_path):
    """`login && peers` has peers (E6 of the faults); a server that sends no map does not hold the login up for long."""
    key = tmp_path / "key"
    key.write_text(AUTH_KEY)
    key.chmod(0o600)
    gate = server.gate()

    async def later(req):
        await gate.wait()
        return None
    server.on_map = later
    d = make_daemon(server, login="manual")
    p = begin(d, "login", "--auth-key-file", str(key))
    d.wait_state("authenticated")
    assert "Logged in" in p.stdout.readline()
    time.sleep(0.5)
    assert p.poll() is None
    gate.open()
    assert end(p)[0] == 0 and d.tailnetctl("peers").returncode == 0
    d.ctl("logout")
    server.on_map = lambda req: HOLD
    code, out, err = end(begin(d, "login", "--auth-key-file", str(key), "--timeout", "2"))
    assert code == 0 and "Logged in" in out and "network map" in err
    assert end(begin(d, "-q", "login", "--no-wait", "--auth-key-file", str(key)))[0] == 0


def test_high_health_is_not_healthy(server, daemon):
    """A10 of the faults. It is logged in and synchronized all the same."""
    assert daemon.tailnetctl("status", "--check").returncode == 0
    daemon.kill("mapd", signal.SIGABRT)  # a crash that a sanitizer does not report as its own
    daemon.wait(lambda s: s["synced"] and any(h["severity"] == "high" for h in s["health"]))
    assert daemon.tailnetctl("status", "--check").returncode == 1
    assert daemon.tailnetctl("status").returncode == 0


@pytest.mark.parametrize("verb", ["status --check", "netmap", "peers", "peer 7", "watch", "watch netmap", "wgconf",
                                  "hosts", "metrics", "processes", "login --no-wait", "logout", "pause",
                                  "set endpoints", "server-key", "log info", "shutdown", "wait", "doctor"])
@pytest.mark.parametrize("how", ["silent", "full"])
def test_no_command_waits_for_ever(tmp_path, verb, how):
    """A daemon that accepts and says nothing, and one that does not even accept (A10 of the faults)."""
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(path)
        listener.listen(8 if how == "silent" else 0)
        for _ in range(2 if how == "full" else 0):
            c = stack.enter_context(socket.socket(socket.AF_UNIX))
            c.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                c.connect(path)
        p = subprocess.run([os.path.join(BIN, "tailnetctl"), "-t", "1", "-s", path] + verb.split(),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=20 * SLOW)
        assert p.returncode == 8 and "no answer from tailnetd" in p.stderr, p


def test_what_disrupts_is_written_in_full(daemon):
    """H3 of the faults."""
    key = daemon.ctl("server-key")["serverKey"]
    for words in ("sh", "shutdow", "logo", "pau", "rec", "server-key acc " + key, "logout forc", "server-key a " + key):
        r = daemon.tailnetctl(*words.split())
        assert r.returncode == 2 and "in full" in r.stderr, (words, r)
    s = daemon.status()
    assert s["synced"] and not s["paused"] and daemon.tailnetctl("stat").returncode == 0
    assert daemon.tailnetctl("shutdown").returncode == 0 and daemon.wait_exit() == 0


def test_help_is_where_it_is_looked_for(daemon):
    tool = [os.path.join(BIN, "tailnetctl")]

    def run(*args):
        p = subprocess.run(tool + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert p.returncode == 0 and p.stderr == "", (args, p)
        assert "ersion" in args[0] or max(map(len, p.stdout.splitlines())) <= 80, p.stdout
        return p.stdout
    assert run("--help") == run("-h") == run("help") and "\n  shutdown " in run("--help")
    assert run("--version") == subprocess.run(tool + ["-V"], stdout=subprocess.PIPE, text=True).stdout
    for args in (("login", "--help"), ("help", "login"), ("log", "-h"), ("login", "--timeout", "3", "--help")):
        assert run(*args).startswith("usage: tailnetctl log"), args
    assert run("shutdown", "--help").startswith("usage: tailnetctl shutdown")
    assert daemon.status()["synced"]


def test_options_behind_the_command(daemon):
    assert json.loads(daemon.tailnetctl("status", "-j").stdout)["v"] == 1
    assert daemon.tailnetctl("status", "--check", "-q").stdout == ""
    assert '"end"' in daemon.tailnetctl("peers", "-j", "limit=1").stdout
    r = daemon.tailnetctl("-t", "x", "status")
    assert r.returncode == 2 and "-t" in r.stderr


def test_a_socket_that_does_not_exist(tmp_path):
    """The path, and what to do about it."""
    for path in (str(tmp_path / "none"), "/nonexistent/sock"):
        p = subprocess.run([os.path.join(BIN, "tailnetctl"), "-s", path, "status"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
        assert p.returncode == 3 and path in p.stderr and "start it" in p.stderr and "-s" in p.stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal(server, make_daemon, columns):
    """H4 of the faults: no line is wider, none is cut in a pipe, and wide characters shift nothing."""
    long = "a-very-long-name-" * 3 + "abcde"
    server.tailnet.add_peer(7, Name=long + ".example.test.", Hostinfo={"OS": "\u4e2d\u6587"},
                            AllowedIPs=["100.64.0.7/32"] + ["10.%d.0.0/16" % i for i in range(9)])
    server.tailnet.add_peer(8, Name="b.example.test.", Hostinfo={"OS": "linux"},
                            AllowedIPs=["100.64.0.8/32", "10.9.0.0/16"])
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    for args in (["peers"], ["processes"], ["status"], ["peer", "7"]):
        shown = terminal(d, *args, COLUMNS=str(columns), NO_COLOR="1").replace("\r", "")
        assert max(sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
                   for line in shown.splitlines()) <= columns, shown
    lines = terminal(d, "peers", COLUMNS=str(columns), NO_COLOR="1").replace("\r", "").splitlines()
    assert "..." in lines[1] or columns > 80
    cols = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line[:line.index("10.")])
            for line in lines[1:] if "10." in line]
    assert len(set(cols)) == 1, lines
    piped = d.tailnetctl("peers").stdout
    assert len(long + ".example.test") > 64 and long + ".example.test" in piped
    assert "10.8.0.0/16" in piped.splitlines()[1]


HOSTILE = b'\x1b]0;x\x07\x1b[2J\xc2\x9b31m\x9b2J\xe2\x80\xae\xff\r'


@pytest.mark.parametrize("verb", ["status", "netmap", "peers", "peer 7", "watch", "watch netmap", "processes",
                                  "server-key", "doctor", "wgconf", "hosts", "metrics", "log info", "set endpoints",
                                  "login", "wait"])
def test_nothing_raw_reaches_the_terminal(tmp_path, verb):
    """What a compromised mapd puts into its answers, in each mode."""
    value = b'{"v":1,"event":"status","name":"X","ID":1,"error":{"code":"X","message":"X"}}\n'.replace(b"X", HOSTILE)
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(5)

        def lie():
            with contextlib.suppress(OSError):
                while True:
                    c, _ = listener.accept()
                    c.recv(4096)
                    text = HOSTILE + b"\n" + value if verb in ("wgconf", "hosts", "metrics") else value
                    c.sendall(text)
                    c.close()
        threading.Thread(target=lie, daemon=True).start()
        for flags in ([], ["-j"], ["-q"]):
            p = subprocess.Popen([os.path.join(BIN, "tailnetctl"), "-s", path] + flags + verb.split(),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if verb == "watch netmap":  # it connects again and again
                with contextlib.suppress(subprocess.TimeoutExpired):
                    p.wait(1)
                p.terminate()
            for text in p.communicate(timeout=30):
                chars = text.decode("utf-8")
                assert not [c for c in chars if ord(c) < 32 and c not in "\n\t" or 0x7f <= ord(c) < 0xa0 or
                            c == "\u202e"], (flags, text)
        listener.shutdown(socket.SHUT_RDWR)


def test_watch_netmap_comes_back(server, daemon):
    """Continues over the end of mapd, and says so; it gives up when the daemon does not start again."""
    p = begin(daemon, "watch", "netmap")
    until(lambda: "  netmap  " in p.stdout.readline())
    daemon.kill("mapd")
    until(lambda: "  netmap  " in p.stdout.readline())  # it is back, and has the map
    server.map().send({"Domain": "again."})
    until(lambda: "  delta  " in p.stdout.readline())
    assert daemon.stop() == 0
    code, _, err = end(p, timeout=60)
    assert code == 3 and err.count("connecting again") >= 2 and "did not start again" in err
