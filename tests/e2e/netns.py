# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Network namespaces of the tests' own: one in the middle for the control server, and one for each host behind a cable
to it."""
import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
MIDDLE = "10.99.0.1"


def sh(*args, **how):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
                          **how).stdout


def setns(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) == -1:
            raise OSError(ctypes.get_errno(), "setns " + path)
    finally:
        os.close(fd)


@contextlib.contextmanager
def inside(name):
    """This thread, and what it starts, is in that namespace."""
    setns("/run/netns/" + name)
    try:
        yield
    finally:
        setns("/proc/1/ns/net" if os.getpid() == 1 else "/proc/%d/ns/net" % os.getppid())


class Net:
    """hosts: how many.  Host i has 10.99.0.(i+2)."""

    def __init__(self, hosts, tag=None):
        self.tag = tag or "td%d" % os.getpid()
        self.middle = self.tag + "m"
        self.hosts = [self.tag + "h%d" % i for i in range(hosts)]

    def __enter__(self):
        try:
            for ns in [self.middle] + self.hosts:
                sh("ip", "netns", "add", ns)
                sh("ip", "-n", ns, "link", "set", "lo", "up")
            sh("ip", "-n", self.middle, "link", "add", "br0", "type", "bridge")
            sh("ip", "-n", self.middle, "addr", "add", MIDDLE + "/24", "dev", "br0")
            sh("ip", "-n", self.middle, "link", "set", "br0", "up")
            for i, ns in enumerate(self.hosts):
                sh("ip", "-n", self.middle, "link", "add", "c%d" % i, "type", "veth", "peer", "name", "eth0", "netns",
                   ns)
                sh("ip", "-n", self.middle, "link", "set", "c%d" % i, "master", "br0", "up")
                sh("ip", "-n", ns, "addr", "add", "%s/24" % self.address(i), "dev", "eth0")
                sh("ip", "-n", ns, "link", "set", "eth0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for ns in [self.middle] + self.hosts:
            subprocess.run(["ip", "netns", "del", ns], stderr=subprocess.DEVNULL, check=False)

    def address(self, i):
        return "10.99.0.%d" % (i + 2)

    def run(self, i, *args, **how):
        return sh("ip", "netns", "exec", self.hosts[i], *args, **how)


def why_not():
    """A reason to go without, or None."""
    if os.getuid() != 0:
        return "needs root"
    try:
        with Net(1, "td%dtry" % os.getpid()):
            pass
    except (OSError, subprocess.SubprocessError) as e:
        return "no network namespaces here: %s" % getattr(e, "stderr", e)
    return None
