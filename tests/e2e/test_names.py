# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Names: slow name services, files of the name service elsewhere, what the resolver may reach."""
import pytest
from harness import AUTH_KEY, SLOW, until
from nameservice import NameService

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.root
@pytest.mark.rows("DIAL-10")
def test_a_name_service_slower_than_a_dial(make_daemon, tmp_path):
    """Each answer takes 12 s and a dial lives for 10 s: the error names the name service, and the answer is used."""
    net = NameService(str(tmp_path))
    d = make_daemon("http://slow.example:1", auth_key=AUTH_KEY, server_key="mkey:" + 64 * "1", prefix=net.prefix,
                    start=False)
    net.start(d.spawn)
    with net.server:
        net.answer_late("192.0.2.1", 12)
        until(d._answers, what="control socket answers")
        d.wait(lambda s: "cannot look up slow.example: no answer from the name service" in s["err"], timeout=20 * SLOW)
        d.wait(lambda s: "connect to slow.example port 1: Network is unreachable" in s["err"], timeout=30 * SLOW)
