# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import schema  # noqa: E402
import tinyproxy  # noqa: E402
from controlserver import CA, Server  # noqa: E402
from harness import AUTH_KEY  # noqa: E402


def pytest_configure(config):
    schema.recording = True
    config.addinivalue_line("markers", "rows(*ids): the rows of behaviours.md that the test proves")
    config.addinivalue_line("markers", "root: needs root")
    config.addinivalue_line("markers", "long: takes 20 s or more, and so begins before the others")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        if item.get_closest_marker("root") and os.getuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for i, d in enumerate(getattr(item, "daemons", [])):
        report.sections.append(("tailnetd %d: %s" % (i, d.dir), d.log(last=150)))
    for i, s in enumerate(getattr(item, "servers", [])):
        report.sections.append(("control server %d" % i, s.log.text()))


@pytest.fixture(autouse=True)
def answers_match_the_schema():
    """All that the test was answered (docs/schema)."""
    yield
    bad = schema.verdict()
    assert not bad, "\n".join(bad[:10])


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    return CA(str(tmp_path_factory.mktemp("ca")))


@pytest.fixture
def make_server(request):
    made = request.node.servers = []

    def make(**how):
        made.append(Server(**how))
        return made[-1]
    yield make
    for s in made:
        s.stop()


@pytest.fixture
def server(make_server):
    """A good server on a clear port, with AUTH_KEY as a reusable auth key."""
    s = make_server()
    s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    return s


@pytest.fixture
def tls_server(make_server, ca):
    s = make_server(tls=ca.context())
    s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    return s


@pytest.fixture
def proxy(tmp_path):
    with tinyproxy.proxies(tmp_path) as start:
        yield start


@pytest.fixture(scope="session")
def programs():
    path = os.path.join(harness.BIN, "tailnetd")
    if not os.path.exists(path):
        pytest.exit("%s is not there: make" % path)
    if os.getuid() == 0:
        subprocess.run([os.path.join(harness.ROOT, "contrib", "install-users"), "--quiet"], check=True)


@pytest.fixture(scope="session")
def shim(programs, tmp_path_factory):
    """faultshim.c, for LD_PRELOAD."""
    text = subprocess.run([os.path.join(harness.BIN, "tailnetd"), "-V"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if "sanitize=" in text.stdout:
        pytest.skip("the sanitizer wants to be the first library")
    out = str(tmp_path_factory.mktemp("shim") / "faultshim.so")
    return harness.compiled(out, "-shared", "-fPIC", "faultshim.c", "-ldl")


@pytest.fixture
def make_daemon(request, programs):
    """make_daemon(url or server, auth_key=..., keyword=value...)"""
    made = request.node.daemons = []

    def make(server, **how):
        url = server if isinstance(server, str) else server.url
        d = harness.Daemon(url, start=False, **{k: v for k, v in how.items() if k != "start"})
        made.append(d)
        if how.get("start", True):
            d.start()
        return d
    yield make
    problems = []
    for d in made:
        try:
            d.check_secrets()
            d.cleanup()
        except AssertionError as e:
            problems.append(str(e))
    assert not problems, problems


@pytest.fixture
def daemon(make_daemon, server):
    """Logged in and synchronized."""
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=10)
    d.wait_sync()
    return d
