# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Compromised children: evild.c, evilflood.c and evilauth.c with evil.c, by the list in evil_list.h."""
import os
import re
import shutil

from harness import BIN, ROOT, compiled

HERE = os.path.dirname(os.path.abspath(__file__))


def scenarios():
    """{kind: {name: its symbol}}"""
    with open(os.path.join(HERE, "evil_list.h")) as f:
        text = f.read()
    out = {}
    for program, entries in re.findall(r"#define (EVIL\w+)_LIST\(S\)((?: \\\n\tS\(.*\))+)", text):
        for kind, symbol, name in re.findall(r'S\((\w+), (\w+), "([^"]+)"\)', entries):
            assert name not in out.setdefault(kind, {}), name
            out[kind][name] = program + "_" + symbol
    assert sum(map(len, out.values())) == len(re.findall(r'^\tS\(', text,
                                                         re.M)), "evil_list.h has an entry of another form"
    return out


SCENARIOS = scenarios()


def take_over(d, symbol):
    """From its next start on the daemon has that child."""
    program = symbol.split("_")[0].lower()
    child = "authd" if program == "evilauth" else "mapd"
    lib = os.path.join(d.dir, "libexec")
    os.mkdir(lib, 0o755)
    for name in {"authd", "mapd", "resolver"} - {child}:
        shutil.copy(os.path.join(BIN, name), lib)
    compiled(os.path.join(lib, child), program + ".c", "evil.c", "-DEVIL=" + symbol, "-I" + os.path.join(ROOT, "ipc"),
             *("-I" + os.path.join(ROOT, "common", room) for room in ("base", "values", "sandbox", "lists")))
    d.conf["libexec-dir"] = lib
