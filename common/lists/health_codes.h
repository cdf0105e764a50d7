/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HEALTH_CODES_H
#define HEALTH_CODES_H

/*
 * Everything that may be wrong with the daemon (interface.md 4, `health`), in the order of the status.
 *
 *	H(id, code, severity, sentence, remedy)
 *
 *	id		HEALTH_id of tailnetd/control/health.h
 *	severity	high, medium or low
 *	sentence	what is wrong, for people; NULL: health_raise() gets one
 *	remedy		what to do about it
 */
#define HEALTH_CODES(H) \
	H(SERVER_KEY_CHANGED, "server-key-changed", "high", "the server offers a key that is not the pinned one", \
	    "ask the server's administrator for its key; if it is this one, run `tailnetctl server-key accept KEY`, " \
	    "or change server-key in tailnetd.conf") \
	H(STATE_NOT_SAVED, "state-not-saved", "high", NULL, \
	    "make the state directory writable or free space in it; it is tried again by itself") \
	H(STATE_RECOVERED, "state-recovered", "medium", \
	    "the state file was damaged; its previous version is in use", "check the disk; a new login ends this") \
	H(CHILD_CRASH, "child-crash", "high", NULL, \
	    "see the lines before it in the log; if it happens again, report it with them") \
	H(CHILD_KILLED, "child-killed", "medium", NULL, \
	    "if no administrator did it, free memory on this machine; the kernel's log names what it killed") \
	H(CHILD_STUCK, "child-stuck", "high", NULL, \
	    "let tailnetd have the capability CAP_KILL, or end that process by hand") \
	H(RESOLVER_FAILED, "resolver-failed", "high", NULL, \
	    "see the lines before it in the log; until then names are not looked up") \
	H(SANDBOX_DEGRADED, "sandbox-degraded", "medium", NULL, \
	    "run tailnetd as root with `sandbox required`") \
	H(CLOCK_WRONG, "clock-wrong", "medium", "the clock is earlier than this program's release", \
	    "set the clock of this machine") \
	H(CLOCK_DIFFERS, "clock-differs", "medium", NULL, \
	    "set the clock of this machine; until then expiry is judged by the server's") \
	H(KEY_DIFFERS, "node-key-differs", "high", "the netmap names a node key that is not ours", \
	    "if this does not end by itself, run `tailnetctl login`") \
	H(STREAMS_SHORT, "map-streams-short", "medium", "the server ends each map stream within a minute", \
	    "see whether another machine uses a copy of this state directory, or a proxy cuts connections") \
	H(KEY_EXPIRED, "node-key-expired", "high", "the node key has expired", "run `tailnetctl login`") \
	H(NOT_APPROVED, "machine-not-approved", "medium", "this machine is not approved", \
	    "an administrator of the tailnet has to approve it") \
	H(SERVER_LIMIT, "server-limit", "medium", NULL, \
	    "if the server is right to send that much, raise the max-map keywords, see tailnetd.conf(5)") \
	H(CONFIG_NOT_RELOADED, "config-not-reloaded", "medium", NULL, \
	    "correct the file, which `tailnetd -n` checks, then reload") \
	H(AUTH_KEY_UNUSABLE, "auth-key-unusable", "medium", NULL, \
	    "correct `auth-key-file` or the file that it names") \
	H(CA_UNUSABLE, "ca-unusable", "high", NULL, \
	    "install the package ca-certificates, or name the file with `ca-file`") \
	H(ADDRESSES_UNWATCHED, "addresses-unwatched", "medium", \
	    "changes of this host's addresses are not noticed", \
	    "restart tailnetd; until then run `tailnetctl reconnect` after a change") \
	H(NO_LISTEN_PORT, "no-listen-port", "medium", \
	    "there is no free UDP port for `listen-port 0`", \
	    "name one with `listen-port`") \
	H(REPORT_STALE, "report-stale", "medium", \
	    "what is reported of this host could not be built again", \
	    "free memory on this machine; the next change tries it again") \
	H(CACHE_UNUSABLE, "cache-unusable", "low", NULL, \
	    "free space in the state directory or make it writable, or use `netmap-cache no`") \
	H(NO_DESCRIPTORS, "no-descriptors", "medium", \
	    "clients of the control socket must wait: there are no free descriptors", \
	    "end clients that are not needed") \
	H(OPERATOR_OUTSIDE, "operator-outside", "low", \
	    "the control-operator is not in the group of the control socket", \
	    "run the usermod command that the log names, or configure another `control-group`") \
	H(OUT_OF_MEMORY, "out-of-memory", "high", NULL, \
	    "free memory on this machine; for a very large tailnet raise the limit that the log names")

#endif
