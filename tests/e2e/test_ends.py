# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Children that end unexpectedly, or cannot run at all: each end is health, with its status and what that means; and
what the starter of the daemon left behind (signals, limits, capabilities)."""
import os
import resource
import shutil
import signal
import subprocess
import time

import pytest
from harness import AUTH_KEY, BIN, KERNEL, NO_LANDLOCK, SLOW, alive, compiled, until

STUB = """
#include <signal.h>
int main(void) { if (END > 255) raise(END - 256); return END; }
"""
# What the stub does, or None for a file that is no program; the code and what its text says.
ENDS = [(None, "child-crash", "cannot be executed (status 127): see `ldd "),
        (1, "child-crash", "could not start (status 1)"),
        (72, "child-crash", "was not built together with tailnetd (status 72): install all programs"),
        (256 + signal.SIGSYS, "child-crash", "was killed by signal 31 (Bad system call): it made a system call that "),
        (256 + signal.SIGKILL, "child-killed", "was killed by signal 9 (Killed): by an administrator, or by the "),
        (3, "child-crash", "exited with status 3")]


@pytest.fixture
def libexec(tmp_path_factory):
    """libexec(name, end): a directory of programs, one of which ends like that."""
    def make(name, end):
        path = str(tmp_path_factory.mktemp("x"))
        os.chmod(path, 0o755)
        for p in ("authd", "mapd", "resolver"):
            shutil.copy(os.path.join(BIN, p), path)
        bad = os.path.join(path, name)
        if end is None:
            with open(bad, "w") as f:
                f.write("no program\n")
        else:
            with open(bad + ".c", "w") as f:
                f.write(STUB)
            os.unlink(bad)
            compiled(bad, bad + ".c", "-DEND=%d" % end)
        os.chmod(bad, 0o755)
        return path
    return make


def health(d, code):
    return next((h for h in d.status()["health"] if h["code"] == code), None)


def has_text(d, code, text):
    h = health(d, code)
    return h is not None and text in h["text"] and h


@pytest.mark.rows("PRIV-03", "STAT-02")
@pytest.mark.parametrize("end, code, text", ENDS)
def test_mapd_cannot_run(server, make_daemon, libexec, end, code, text):
    """Not a plain `authenticated`: status, metrics and the log say how it ended and when it is started again."""
    d = make_daemon(server, auth_key=AUTH_KEY, libexec_dir=libexec("mapd", end))
    h = until(lambda: has_text(d, code, text))
    assert h["text"].startswith("mapd[") and "; it is started again " in h["text"] and h["remedy"]
    assert h["severity"] == ("medium" if code == "child-killed" else "high")
    assert 'tailnetd_health{code="%s"} 1' % code in d.text("metrics")
    assert text in d.log()
    d.wait(lambda s: s["state"] == "state:authenticated" and any(h["code"] == code for h in s["health"]))


@pytest.mark.rows("PRIV-03")
def test_doctor_does_not_blame_the_server(tls_server, make_daemon, libexec, ca):
    """It says at once that authd cannot run, in a line of its own."""
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=ca.file, libexec_dir=libexec("authd", 1))
    for _ in range(3):
        t = time.monotonic()
        lines = d.ask("doctor")
        assert time.monotonic() - t < 5 * SLOW
        assert [x["name"] for x in lines if not x["ok"]] == ["authd"], lines
        assert "could not start (status 1)" in lines[-1]["text"] and "/key" not in [x["name"] for x in lines]
    until(lambda: has_text(d, "child-crash", "could not start (status 1)"))


@pytest.mark.rows("PRIV-03")
@pytest.mark.parametrize("end, text", [(None, "the resolver cannot be executed (status 127): see `ldd "),
                                       (71, "the resolver could not enter its sandbox (status 71)"),
                                       (256 + signal.SIGSEGV, "the resolver was killed by signal 11 ")])
def test_the_resolver_cannot_run(server, make_daemon, libexec, end, text):
    """It is not `no answer` of the name servers."""
    url = server.url.replace("127.0.0.1", "localhost")
    assert url != server.url
    d = make_daemon(url, auth_key=AUTH_KEY, libexec_dir=libexec("resolver", end))
    h = until(lambda: has_text(d, "resolver-failed", text))
    assert h["severity"] == "high"
    d.wait(lambda s: text in s["err"], what="the reason in err")
    shutil.copy(os.path.join(BIN, "resolver"), d.conf["libexec-dir"] + "/new")
    assert d.stop() == 0
    os.rename(d.conf["libexec-dir"] + "/new", d.conf["libexec-dir"] + "/resolver")
    d.start()
    d.wait_sync()
    assert health(d, "resolver-failed") is None


@pytest.mark.rows("PRIV-03")
def test_it_runs_again(daemon):
    """A kill from outside is shown, and that it is over; it does not make the daemon unhealthy for a script."""
    daemon.kill("mapd")
    h = until(lambda: has_text(daemon, "child-killed", "; it runs again"))
    assert h["severity"] == "medium" and "killed by signal 9" in h["text"]
    daemon.wait_sync()


# --- what the starter left behind

def started_by(code):
    return ["/usr/bin/python3", "-c", "import os, signal, sys\n%s\nos.execv(sys.argv[1], sys.argv[1:])" % code]


@pytest.mark.rows("PRIV-03")
@pytest.mark.parametrize("how", ["signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM])",
                                 "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"])
def test_signals_of_the_starter(server, make_daemon, how):
    """A dead mapd is noticed, whatever the starter has blocked or ignores; and SIGTERM ends the daemon."""
    d = make_daemon(server, auth_key=AUTH_KEY, prefix=started_by(how))
    d.wait_sync()
    pid = d.kill("mapd")
    until(lambda: d.process("mapd")["pid"] not in (None, pid), what="a new mapd")
    assert not alive(pid)
    d.wait_sync()
    assert d.stop() == 0


def test_exit_status_with_sigchld_ignored(server, make_daemon):
    """Of the process that was started by hand and waits for the daemon."""
    d = make_daemon(server, start=False)
    os.mkdir(d.state_dir)
    os.chmod(d.state_dir, 0o755)
    d.write_conf()
    p = subprocess.run(KERNEL + started_by("signal.signal(signal.SIGCHLD, signal.SIG_IGN)") +
                       [os.path.join(BIN, "tailnetd"), "-f", d.conf_file],
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30)
    assert p.returncode == 78, p.stderr


@pytest.mark.rows("ERR-05")
def test_a_limit_on_files(daemon):
    """It does not end the daemon without a word: the save fails, is reported, and is tried again."""
    before = daemon.status()["nodeKey"]
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    daemon.ctl("pause")
    h = until(lambda: health(daemon, "state-not-saved"))
    assert "File too large" in h["text"]
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    daemon.ctl("unpause")
    daemon.wait(lambda s: s["synced"] and not any(h["code"] == "state-not-saved" for h in s["health"]))
    assert daemon.status()["nodeKey"] == before


def without(cap):
    return ["setpriv", "--bounding-set", "-" + cap, "--inh-caps", "-" + cap]


def refused(d, prefix):
    d.write_conf()
    p = subprocess.run(KERNEL + prefix + [os.path.join(BIN, "tailnetd"), "-d", "-f", d.conf_file],
                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30)
    return p.returncode, p.stderr


@pytest.mark.root
@pytest.mark.skipif(NO_LANDLOCK, reason="with sandbox required")
@pytest.mark.parametrize("cap", ["kill", "setuid", "setgid", "sys_chroot"])
def test_a_capability_is_missing(server, make_daemon, cap):
    """Refused at start, not when a child has to be ended."""
    code, said = refused(make_daemon(server, start=False), without(cap))
    assert code == 1 and "error: root without CAP_%s: " % cap.upper() in said, said


@pytest.mark.root
@pytest.mark.skipif(NO_LANDLOCK, reason="with sandbox required")
def test_no_chown(server, make_daemon):
    code, said = refused(make_daemon(server, start=False), without("chown"))
    assert code == 1 and "this process lacks CAP_CHOWN, which may be the reason" in said, said


@pytest.mark.root
@pytest.mark.parametrize("sandbox", ["required", "best-effort"])
def test_a_user_namespace_with_root_alone(server, make_daemon, sandbox):
    code, said = refused(make_daemon(server, start=False, sandbox=sandbox), ["unshare", "--user", "--map-root-user"])
    assert code == 1 and "this user namespace does not have the uid " in said and "best-effort" in said, said


@pytest.mark.root
def test_a_child_that_cannot_be_killed(server, make_daemon):
    """Without the right to it (best-effort) the daemon says so, and ends it as soon as it may."""
    d = make_daemon(server, auth_key=AUTH_KEY, sandbox="best-effort", prefix=without("kill"))
    d.wait_sync()
    mapd = d.child("mapd")
    os.kill(mapd, signal.SIGSTOP)
    try:
        d.proc.send_signal(signal.SIGTERM)  # STOP is not answered: SIGKILL after a second, refused
        until(lambda: "mapd[%d] cannot be killed: Operation not permitted" % mapd in d.log(), 10)
        assert d.wait_exit() == 0
    finally:
        os.kill(mapd, signal.SIGKILL)


@pytest.mark.rows("PRIV-03", "STAT-02")
def test_the_resolver_runs_out_of_memory(make_daemon, libexec):
    """As a child that does: health says so, for a while, and not that it cannot run."""
    d = make_daemon("http://small.example:1", auth_key=AUTH_KEY, server_key="mkey:" + 64 * "1",
                    libexec_dir=libexec("resolver", 75))
    h = until(lambda: has_text(d, "out-of-memory", "the resolver ran out of memory (status 75)"))
    assert h["severity"] == "high" and health(d, "resolver-failed") is None
    assert 'tailnetd_health{code="out-of-memory"} 1' in d.text("metrics")
