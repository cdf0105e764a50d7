#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The escape suite (security.md 5.1): every operation, in a fresh process, inside each child's sandbox.

Fails if one succeeds with all layers on.  Then single layers are left out, to show what each of them stops; fails if
one does not stop what it is for.
The resolver runs foreign code (NSS) and has a deny-list: what it may do is listed here, and nothing else.
  escape.py [--markdown]     TAILNETD_BUILD names the build (make ESCAPE=1), with tests/escape/escape in it
"""
import ctypes
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("TAILNETD_BUILD", ROOT / "build-escape"))
# The operations that succeed with all layers on.
ALLOWED = {
    "authd": set(),
    "mapd": set(),
    # Memory and descriptors of its own (8 10 54 61 65-68 71 75 76 80), what a look-up needs: UDP, unix sockets, netlink
    # (29-32 40 41), and what does nothing to others (22 23).
    "resolver": {8, 10, 22, 23, 29, 30, 31, 32, 40, 41, 54, 61, 65, 66, 67, 68, 71, 75, 76, 80},
}
UNIX = {30, 31}
PROFILES = tuple(ALLOWED)
EVERY = "uid,chroot,rlimits,undumpable,pdeathsig,capabilities,landlock,seccomp"
# What is left out, and the head of its column.  Leaving out no_new_privs would keep the others from being entered.
LEFT_OUT = [
    ("all layers", ""),
    ("no seccomp", "seccomp"),
    ("no landlock", "landlock"),
    ("no uid", "uid"),
    ("no chroot", "chroot"),
    ("no rlimits", "rlimits"),
    ("no capabilities", "capabilities"),
    ("uid, chroot, rlimits", "landlock,seccomp"),
    ("uid only", "landlock,seccomp,chroot,rlimits"),
    ("seccomp only", "uid,chroot,rlimits,undumpable,pdeathsig,capabilities,landlock"),
    ("landlock only", "uid,chroot,rlimits,undumpable,pdeathsig,seccomp"),
]
# Several layers stop most operations, so a hole in one of them shows only where the others are left out: with these
# columns no operation succeeds.
TIGHT = {"all layers", "no landlock", "no uid", "no chroot", "no rlimits", "no capabilities", "seccomp only"}
# With these columns no operation that the layer must stop.  Landlock as of version 6 (TCP since 4, abstract sockets
# since 6).
STOPPED = {
    "landlock only": {1, 2, 3, 4, 5, 7, 11, 12, 13, 18, 24, 25, 31, 37, 39, 77, 78},
    "uid, chroot, rlimits": {1, 2, 3, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 30, 52, 60, 77, 78},
    "uid only": {1, 2, 16, 17, 18, 20, 21, 33, 34, 50, 53, 62, 63},
}
LANDLOCK_NEEDED = 6


def attempt(program, profile, left_out):
    """{number: (name, verdict)} of all operations."""
    done = subprocess.run([program, profile, left_out], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"{program} {profile} '{left_out}': exit {done.returncode}\n{done.stderr}")
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return {int(number): (name, verdict) for number, name, verdict in rows}


def escaped(results, profile="mapd"):
    return [n for n, (_, verdict) in results.items() if verdict == "ESCAPED" and n not in ALLOWED[profile]]


def broken(results):
    """Operations without a result: the test itself did not work."""
    return [f"{n} {name}: {v}" for n, (name, v) in results.items() if v in ("no sandbox", "no fixture", "hangs")]


def judge(label, program, profile):
    """All layers on: what must hold.  Returns the number of failures."""
    results = attempt(program, profile, "")
    bad = escaped(results, profile)
    killed = sum(v.startswith("killed") for _, v in results.values())
    allowed = sum(v == "ESCAPED" for _, v in results.values()) - len(bad)
    print(f"{label:8} {profile:8} {len(results)} tried, {killed} killed, "
          f"{len(results) - killed - allowed - len(bad)} refused, "
          + (f"{allowed} allowed, " if ALLOWED[profile] else "") + f"{len(bad)} succeeded")
    for n in bad:
        print(f"  ESCAPED: {n} {results[n][0]}")
    for line in broken(results):
        print(f"  BROKEN: {line}")
    return len(bad) + len(broken(results))


def without_landlock(program):
    """A kernel that lacks a layer: `required` refuses to go on, the other layers hold by themselves."""
    shim = ROOT / "tests/escape/without-landlock"

    def tried(left_out):
        done = subprocess.run([shim, program, "mapd", left_out], capture_output=True, text=True, timeout=300)
        return [line.split("\t") for line in done.stdout.splitlines()]
    refused = [line for line in tried("") if line[2] != "no sandbox" and "parent" not in line[2]]
    bad = [line for line in tried("landlock") if line[2] in ("ESCAPED", "no sandbox", "no fixture", "hangs")]
    print(f"no Landlock in the kernel: {len(refused)} children went on without it, {len(bad)} operations succeeded")
    for line in refused + bad:
        print("  ", *line)
    return len(refused) + len(bad)


def landlock_version():
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))


if landlock_version() < 4:
    ALLOWED["resolver"] |= {24, 25, 37}  # TCP anywhere


def judge_column(head, results):
    """What got through although this choice of layers is to stop it."""
    if head in TIGHT:
        bad = escaped(results)
    elif head == "landlock only" and landlock_version() < LANDLOCK_NEEDED:
        bad = []
    else:
        bad = [n for n in escaped(results) if n in STOPPED.get(head, ())]
    for n in bad:
        print(f"  {head}: ESCAPED: {n} {results[n][0]}")
    for line in broken(results):
        print(f"  {head}: BROKEN: {line}")
    return len(bad) + len(broken(results))


def static_program():
    """The same with another libc, if musl-gcc is installed."""
    if shutil.which("musl-gcc") is None:
        print("musl     not tried: no musl-gcc (Debian: musl-tools)")
        return None
    out = BUILD / "tests/escape/escape-musl"
    sources = [ROOT / f"tests/escape/{n}.c" for n in ("escape", "ops")]
    sources += sorted((ROOT / "common/sandbox").glob("*.c"))
    sources += [ROOT / f"common/base/{n}.c" for n in ("log", "text", "buf", "mem", "childfd", "spawn", "utf8")]
    sources += [ROOT / n for n in ("common/child/syscalls.c",
                                   "authd/authd_sandbox.c", "mapd/mapd_sandbox.c", "resolver/resolver_sandbox.c")]
    rooms = subprocess.run(["make", "-s", "print-rooms"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    folders = sorted({d for line in rooms.splitlines() for d in line.replace(":", " ").split()})
    includes = [f"-I{ROOT / d}" for d in (*folders, "tests/escape")]
    # The kernel's headers; musl's own are searched first.  libbsd's queue.h has no libc in it.
    machine = os.uname().machine
    foreign = ["-idirafter", "/usr/include", "-idirafter", f"/usr/include/{machine}-linux-gnu"]
    subprocess.run(["musl-gcc", "-static", "-std=c11", "-D_GNU_SOURCE", "-O2", "-DTEST_ESCAPE", "-DESCAPE_STATIC",
                    *includes, *foreign, "-o", out, *sources], check=True)
    return out


def table(columns):
    """Markdown: one row per operation, one column per choice of layers."""
    names = columns[0][1]
    lines = ["| | operation | " + " | ".join(head for head, _ in columns) + " |", "|---|---|" + "---|" * len(columns)]
    for n, (name, _) in names.items():
        cells = ["**through**" if r[n][1] == "ESCAPED" else "" for _, r in columns]
        lines.append(f"| {n} | {name} | " + " | ".join(cells) + " |")
    totals = [str(len(escaped(r))) for _, r in columns]
    lines.append("| | **got through** | " + " | ".join(totals) + " |")
    return "\n".join(lines)


def as_nobody(program):
    """Best effort: the daemon is not root, so neither uid nor chroot."""
    copy = pathlib.Path("/tmp") / f"escape-copy-{os.getpid()}"
    shutil.copy(program, copy)
    copy.chmod(0o755)
    failures = 0
    # The resolver is then the daemon's user, which the control socket obeys: no unix sockets.
    allowed = {**ALLOWED, "resolver": ALLOWED["resolver"] - UNIX}
    try:
        for profile in PROFILES:
            done = subprocess.run([copy, profile, ""], capture_output=True, text=True, timeout=300, user=65534,
                                  group=65534, extra_groups=[])
            lines = [line.split("\t") for line in done.stdout.splitlines()]
            bad = [line for line in lines if line[2] in ("no sandbox", "no fixture", "hangs") or
                   (line[2] == "ESCAPED" and int(line[0]) not in allowed[profile])]
            print(f"{'not root':8} {profile:8} {len(lines)} tried, {len(bad)} succeeded")
            for line in bad:
                print("  ESCAPED or broken:", *line)
            failures += len(bad) + (done.returncode != 0)
    finally:
        copy.unlink()
    return failures


def main():
    program = BUILD / "tests/escape/escape"
    root = os.geteuid() == 0
    if not root:
        print("not root: uid, chroot and capabilities are not part of this run")
    failures = sum(judge("glibc", program, profile) for profile in PROFILES)
    if root:
        failures += as_nobody(program)
        failures += without_landlock(program)
    musl = static_program()
    if musl is not None:
        failures += sum(judge("musl", musl, profile) for profile in PROFILES)
    if root:
        columns = [(head, attempt(program, "mapd", left_out)) for head, left_out in LEFT_OUT]
        failures += sum(judge_column(head, results) for head, results in columns)
        print()
        if "--markdown" in sys.argv[1:]:
            print(table(columns))
        else:
            for head, results in columns:
                through = escaped(results)
                which = ": " + " ".join(map(str, through)) if through else ""
                print(f"{head:22} {len(through):3} got through" + which)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
