# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""docs/schema against what the daemon says.

harness.py passes on each line that a test got from a control socket or `tailnetctl -j` (Answer, received()).
conftest.py validates them at the end of the test (verdict()), so that no measurement includes that time.  Lines that
differ only in ages, counters and times are validated once.  Of a long list of nodes a sample is validated: the first,
the last and some between.
"""
import glob
import json
import os
import re

import jsonschema

DIR = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "schema")
SAMPLE = 32  # elements of a list of nodes
LINES = 300  # of one kind and test that are all judged; then each 20th
BIG = 1 << 20  # a line that is cut down to its sample at once
TEXT = frozenset(["wgconf", "hosts", "metrics"])
LISTS = frozenset(["peers", "doctor"])  # several lines, and an end
# Command: the schema of a line of its answer.
ANSWERS = {"status": "status", "netmap": "netmap", "peers": "node", "peer": "node", "watch": "events",
           "processes": "processes", "login": "ok", "logout": "ok", "pause": "ok", "unpause": "ok", "reconnect": "ok",
           "set": "ok", "log": "ok",
           "shutdown": "ok", "server-key": "server-key", "doctor": "doctor"}
# The same for tailnetctl -j: its own commands, and where it differs from the socket.
CTL_ANSWERS = dict(ANSWERS, wait="events", login="ok or events")
# A number or a time that is as it should be, behind its name.
VOLATILE = re.compile(r'("(?:(?:netmapAge|lastMessageAge|mapStreamAge)Seconds|netmapSeq|seq|Seq|mapStreams)":)'
                      r'[1-9]\d*(?:\.\d)?(?=[,}])'
                      r'|("(?:time|ReceivedAt)":")20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z(?=")')


def load():
    """{name: schema} of all files."""
    out = {}
    for path in sorted(glob.glob(os.path.join(DIR, "*.json"))):
        with open(path, encoding="utf-8") as f:
            out[os.path.basename(path)[:-len(".json")]] = json.load(f)
    return out


SCHEMAS = load()
_store = {s["$id"]: s for s in SCHEMAS.values()}
VALIDATORS = {name: jsonschema.Draft202012Validator(s, resolver=jsonschema.RefResolver(s["$id"], s, store=_store))
              for name, s in SCHEMAS.items()}


def thin(values):
    """At most SAMPLE of them."""
    n, third = len(values), SAMPLE // 3
    if n <= SAMPLE:
        return values
    return values[:third] + values[third:-third:max(1, (n - 2 * third) // third)][:third] + values[-third:]


def sample(name, value):
    """The value with its lists of nodes cut short."""
    if not isinstance(value, dict):
        return value
    if name == "netmap":
        out = dict(value)
        if isinstance(out.get("Peers"), list):
            out["Peers"] = thin(out["Peers"])
        if isinstance(out.get("UserProfiles"), dict):
            out["UserProfiles"] = dict(thin(list(out["UserProfiles"].items())))
        return out
    if name == "events":
        out = dict(value)
        if "netmap" in out:
            out["netmap"] = sample("netmap", out["netmap"])
        for key in ("nodes", "changed", "removed"):
            if isinstance(out.get(key), list):
                out[key] = thin(out[key])
        return out
    return value


def complaint(name, value):
    """What is wrong with the value, or None."""
    error = jsonschema.exceptions.best_match(VALIDATORS[name].iter_errors(value))
    if error is None:
        return None
    return "%s.json: at %s: %s" % (name, "/".join(map(str, error.absolute_path)) or "the top", error.message[:500])


def wanted(command, arguments="", ctl=False):
    """The schema of that command's answer; None: it is text."""
    if command in TEXT:
        return None
    if command == "server-key" and arguments.strip():
        return "ok"
    # Anything that is no command must be answered by an error.
    return (CTL_ANSWERS if ctl else ANSWERS).get(command, "errors")


def ctl_answer(args):
    """The Answer that tailnetctl -j with these arguments gives; None: it prints text, or nothing."""
    args, flags = list(args), ""
    while args and args[0].startswith("-"):
        flags += args.pop(0).lstrip("-")
    if "j" not in flags or "q" in flags or not args:
        return None
    whole = [w for w in set(CTL_ANSWERS) | TEXT if w.startswith(args[0])]
    command = args[0] if args[0] in whole or len(whole) != 1 else whole[0]
    return Answer(wanted(command, " ".join(args[1:]), ctl=True))


# Set by conftest.py, which asks for the verdict.  Bench and demo measure, and keep nothing.
recording = False
# Lines that were right in earlier tests; those of this test; how many of each kind; answers that have not ended.
_passed, _received, _counts, _open = set(), {}, {}, []


def received(name, line):
    """A line (bytes, or text) that ought to be an answer of that schema, or an error; None: text."""
    if isinstance(line, bytes):
        line = line.decode(errors="surrogateescape")
    if line.startswith('{"error":'):
        name = "errors"
    if line.startswith('{"end":') and name in ("node", "doctor"):
        name = "end"
    if name == "ok or events":
        name = "ok" if line.startswith('{"ok":') else "events"
    if name is None or not line.strip():
        return
    if len(line) > BIG:
        try:
            line = json.dumps(sample(name, json.loads(line)), ensure_ascii=False, separators=(",", ":"))
        except ValueError:
            pass  # verdict() reports it
    key = name, VOLATILE.sub(lambda m: m[1] + "1" if m[1] else m[2] + "2000-01-01T00:00:00Z", line)
    if key in _passed or key in _received:
        return
    n = _counts[name] = _counts.get(name, 0) + 1
    if n <= LINES or n % 20 == 0:
        _received[key] = True


class Answer:
    """What one connection, or one run of tailnetctl, gives, in pieces.  A line is passed on when the next one or the
    end was received: the error "incomplete" says that the line before it was cut off."""

    def __init__(self, name):
        self.name, self.parts, self.line = name, [], None
        if recording:
            _open.append(self)

    def feed(self, data):
        while recording:
            head, newline, data = data.partition(b"\n")
            self.parts.append(head)
            if not newline:
                return
            line, self.parts = b"".join(self.parts), []
            if not (line.startswith(b'{"error":') and b"incomplete" in line):
                self.end()
            self.line = line

    def end(self):
        """The end; a last line without its newline was cut off."""
        if self.line is not None:
            received(self.name, self.line)
        self.line = None


def verdict():
    """Judges the lines received since the last call: complaints."""
    out = []
    for a in _open:
        a.end()
    _open.clear()
    keys = list(_received)
    _received.clear()
    _counts.clear()
    for key in keys:
        name, line = key
        try:
            value = json.loads(line)
        except ValueError as e:
            out.append("%s.json: no JSON: %s: %.300s" % (name, e, line))
            continue
        bad = complaint(name, sample(name, value))
        if bad:
            out.append("%s: %.1500s" % (bad, line))
        elif len(line) < 20000:
            if len(_passed) > 5000:
                _passed.clear()
            _passed.add(key)
    return out
