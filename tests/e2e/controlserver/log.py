# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""What the server saw and did, in order, with monotonic time stamps; tests wait on it."""
import threading
import time


class Event(dict):
    """One entry: e.kind, e.t and whatever the kind carries, as keys or attributes."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name)


class Timeout(AssertionError):
    pass


class Log:
    def __init__(self):
        self.start = time.monotonic()
        self.events = []
        self.cond = threading.Condition()

    def add(self, kind, **fields):
        e = Event(fields, kind=kind, t=time.monotonic())
        with self.cond:
            e["i"] = len(self.events)
            self.events.append(e)
            self.cond.notify_all()
        return e

    def mark(self):
        """A point in the log: pass it as `since`."""
        with self.cond:
            return len(self.events)

    @staticmethod
    def _fits(e, kind, match):
        if kind is not None and e.kind != kind:
            return False
        return all(v(e.get(k)) if callable(v) else e.get(k) == v for k, v in match.items())

    def all(self, kind=None, since=0, **match):
        with self.cond:
            return [e for e in self.events[since:] if self._fits(e, kind, match)]

    def count(self, kind=None, since=0, **match):
        return len(self.all(kind, since, **match))

    def wait(self, kind, n=1, timeout=30, since=0, **match):
        """The n-th such event after `since`, waiting for it."""
        end = time.monotonic() + timeout
        with self.cond:
            while True:
                found = [e for e in self.events[since:] if self._fits(e, kind, match)]
                if len(found) >= n:
                    return found[n - 1]
                left = end - time.monotonic()
                if left <= 0:
                    raise Timeout("no %r %s (%d of %d) within %s s" % (kind, match or "", len(found), n, timeout))
                self.cond.wait(left)

    def text(self, last=200):
        def short(v):
            s = repr(v)
            return s if len(s) <= 300 else s[:300] + "... (%d)" % len(s)

        with self.cond:
            out = []
            for e in self.events[-last:]:
                rest = " ".join("%s=%s" % (k, short(v)) for k, v in e.items() if k not in ("kind", "t", "i"))
                out.append("%9.4f %-14s %s" % (e.t - self.start, e.kind, rest))
            return "\n".join(out)
