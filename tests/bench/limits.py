# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""What the figures may be at most, or have to be at least: `make bench BENCH=check`."""
import collections
import os

from measure import emit, figures, say

SIZES = (1000, 100000, 250000)  # of the sections below
Limit = collections.namedtuple("Limit", "section figure how limit")
LIMITS = [Limit(*x) for x in (
    # peers of 1 KB
    ("ingest", "ingest_100k_cpu", "at most", 0.6),
    ("ingest", "ingest_100k_peak_together", "at most", 100),
    ("ingest", "ingest_100k_steady", "at most", 800),
    ("delta", "delta_online_1k_cpu", "at most", 20),
    ("delta", "delta_online_250k_cpu", "at most", 20),
    ("delta", "delta_add_remove_pair_1k_cpu", "at most", 20),
    ("delta", "delta_add_remove_pair_250k_cpu", "at most", 20),
    ("latency", "latency_status_100k_p99", "under", 1),
    ("latency", "latency_peer_100k_p99", "under", 1),
    ("latency", "dump_100k_rate", "at least", 300),
    # as counted by tests/e2e/trips.py: no share of the machine's own time in them
    ("trips", "trips_warm_clear", "at most", 4),
    ("trips", "trips_warm_tls", "at most", 5),
    ("trips", "trips_first_https", "at most", 8),
    ("storm", "storm_status_p99_rise", "at most", 10),
    ("storm", "storm_allowed", "at most", 0),
    ("storm", "storm_leaks", "at most", 0),
    ("storm", "storm_restarts", "at most", 0),
    ("storm", "storm_synchronized", "at least", 1),
    ("churn", "burst_10k_good_watcher_lost", "at most", 0),
    ("churn", "drift_deltas", "at least", 1000000),
    ("churn", "drift_all", "under", 1),
    ("churn", "drift_fds_tailnetd", "at most", 0),
    ("churn", "drift_fds_mapd", "at most", 0),
    # times as much as tailnetd needs (ratios() below)
    ("go", "go_controlclient_ingest_100k_cpu_ratio", "at least", 5),
    ("go", "go_controlclient_ingest_100k_peak_ratio", "at least", 8),
)]
SECTIONS = tuple(dict.fromkeys(x.section for x in LIMITS))
HOLDS = {"at most": lambda v, x: v <= x, "under": lambda v, x: v < x, "at least": lambda v, x: v >= x}


def of(figure):
    return next(x.limit for x in LIMITS if x.figure == figure)


def ratios():
    """Of what was measured in the same run."""
    for go, own, name in (("ingest_100k_cpu", "ingest_100k_cpu", "ingest_100k_cpu_ratio"),
                          ("ingest_100k_peak", "ingest_100k_peak_together", "ingest_100k_peak_ratio")):
        a, b = figures.get("go_controlclient_" + go), figures.get(own)
        if a and b:
            emit("go_controlclient_" + name, a[-1] / b[-1], "times")


def past(sections):
    """The figures of these sections that are not there, or past their limits each time that they were measured."""
    return [x for x in LIMITS if x.section in sections and
            not any(HOLDS[x.how](v, x.limit) for v in figures.get(x.figure, ()))]


def judge(sections):
    """Names every one; how many."""
    bad = past(sections)
    for x in bad:
        values = " and ".join("%.4g" % v for v in figures.get(x.figure, ()))
        found = "is %s, should be %s %g" % (values, x.how, x.limit) if values else "was not measured"
        say("PAST ITS LIMIT: %s %s" % (x.figure, found))
    load = "load average %.1f on %d CPUs" % (os.getloadavg()[0], os.cpu_count())
    say("%d figures are past their limits (%s)" % (len(bad), load) if bad else "every figure is within its limit")
    return len(bad)
