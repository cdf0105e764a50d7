# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The scripted server checked by itself: the documents' test vector, and a client that shares no code with the
daemon."""
import itertools
import json

import pytest
import zstandard
from controlserver import Reply, Server, big_peers, mapframes, noise
from controlserver.client import Client, Closed

INIT = bytes.fromhex(
    "00710100600faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f2061d2949213e755bc180b5d5dbbd8c5"
    "0a2a1beb69f8940d24cab4606a34cd5d41f9d17afbcd2c70cdff7c982b922df1bd9a57bb432d58e197f5f11b644c054435")
RESP = bytes.fromhex(
    "020030ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b0eddc22d979a1022201bb5cd3643c054")


def test_noise_vector():
    r = noise.Responder(b"\x33" * 32, b"\x44" * 32)
    r.read(INIT)
    assert r.version == 113
    assert r.client.hex() == "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
    assert r.write() == RESP
    assert r.sym.h.hex() == "dd297d1d3fa4d71605d3b77e1b173181c073110e4cdf9672828fcdfe4f138b87"
    assert r.c2s.hex() == "d9811dd6a320dc8484bb37ea989640c99f99a8582f50b829e347bd75da510717"
    assert r.s2c.hex() == "8561e3fd4551ed82ee22220925e41e923d64b1c04b856f8ec1eaa544a511a427"
    i = noise.Initiator(b"\x11" * 32, noise.public(b"\x33" * 32), 113, b"\x22" * 32)
    assert i.write() == INIT
    i.read(RESP)
    tx = noise.Sender(i.c2s)
    assert tx.record(b"hello").hex() == "0400153eb7c70f517b459ce906fe831d0a1cc7d9d8bf3725"
    assert tx.record(b"hello").hex() == "04001506247a9f9b8d4f68a2fe2e148d0b8612cfd0d21146"
    tx.n = 256
    assert tx.record(b"hello").hex() == "04001542e59d2189721d0e3fa6a58a66b6d14504fb3c392e"
    assert noise.Sender(r.s2c).record(b"").hex() == "040010fbde4e938ecd0006827e71948355a71e"


def test_noise_tampering():
    for k in (7, 50, 90):
        bad = bytearray(INIT)
        bad[k] ^= 1
        with pytest.raises(noise.NoiseError):
            noise.Responder(b"\x33" * 32).read(bytes(bad))


@pytest.mark.parametrize("enc", ["zstd", "zstd_no_size", "zstd_streaming", "zstd_several", "zstd_skippable"])
def test_encoders(enc):
    data = json.dumps({"a": list(range(1000))}).encode()
    out, rest = b"", getattr(mapframes, enc)(data)
    while rest:
        if rest[:4] >= b"\x50\x2a\x4d\x18" and rest[1:4] == b"\x2a\x4d\x18":
            rest = rest[8 + int.from_bytes(rest[4:8], "little"):]
            continue
        d = zstandard.ZstdDecompressor().decompressobj()
        out += d.decompress(rest)
        rest = d.unused_data
    assert out == data


def test_window_encoder():
    data = b'{"x":"' + b"y" * 100000 + b'"}'
    assert zstandard.ZstdDecompressor().decompressobj().decompress(mapframes.zstd_window(data, 20)) == data
    assert zstandard.get_frame_parameters(mapframes.zstd_window(data, 25)).window_size == 1 << 25


def test_big_peers():
    peers = json.loads(b"[" + big_peers(500) + b"]")
    assert [p["ID"] for p in peers] == list(range(1001, 1501))
    assert len({p["Key"] for p in peers}) == 500 and len({p["Addresses"][0] for p in peers}) == 500
    assert 900 < len(big_peers(500)) / 500 < 1300


@pytest.mark.parametrize("early", [True, False])
def test_client(early):
    with Server() as s:
        s.tailnet.add_auth_key("tskey-auth-one")
        if not early:
            s.early = None
        c = Client(s).connect()
        assert (c.early is not None) == early
        assert c.register("tskey-auth-bad") == (200, {"Error": "authkey not found"})
        status, answer = c.register("tskey-auth-one")
        assert status == 200 and answer["Login"]["LoginName"] == "alice@example.test"
        s.tailnet.add_peer(5)
        stream = c.messages()
        first = next(stream)
        assert first["Node"]["Key"] == c.node_text and [p["ID"] for p in first["Peers"]] == [5]
        s.map().send({"PeersRemoved": [5]})
        assert next(stream) == {"PeersRemoved": [5]}
        d = Client(s).connect()
        assert d.register("tskey-auth-one")[1] == {"Error": "authkey already used"}
        s.tailnet.add_auth_key("tskey-auth-two", reusable=True)
        assert "Error" not in d.register("tskey-auth-two")[1]
        assert next(stream)["PeersChanged"][0]["Key"] == d.node_text
        s.map().end()
        assert list(stream) == []
        s.check()
        d.close()
        c.close()
        s.log.wait("closed", n=4)


def test_interactive_and_logout():
    with Server() as s:
        c = Client(s).connect()
        url = c.register()[1]["AuthURL"]
        s.complete(url)
        assert c.register(Followup=url)[1]["MachineAuthorized"]
        assert "Error" not in c.register()[1]
        assert c.register(Expiry="1970-01-01T00:02:03Z")[1]["NodeKeyExpired"]
        assert c.register()[1] == {"NodeKeyExpired": True}
        c.close()


def test_faults_and_scripts():
    with Server() as s:
        s.faults.chunk, s.faults.record, s.faults.empty_records, s.faults.cork = 1, 3, 2, False
        s.faults.settings_after_preface = True
        s.register_script = [Reply(500, b"no"), {"Error": "scripted"}]
        c = Client(s).connect()
        assert c.register() == (500, b"no")
        assert c.register() == (200, {"Error": "scripted"})
        s.on_record = lambda conn, n, rec: rec[:-1] + bytes([rec[-1] ^ 1])
        with pytest.raises((Closed, noise.NoiseError)):
            c.register()


def test_http2_of_many_frames():
    with Server() as s:
        s.tailnet.add_auth_key("k")
        s.tailnet.raw_peers = big_peers(5000)
        s.faults.data = 777
        c = Client(s).connect()
        c.register("k")
        assert len(next(c.messages())["Peers"]) == 5000
        for m in itertools.islice(c.messages(), 1):
            assert len(m["Peers"]) == 5000
        c.close()
