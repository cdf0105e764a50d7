/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EVIL_LIST_H
#define EVIL_LIST_H

/*
 * The scenarios of compromised children: S(kind, symbol, name).  evil.py reads this file; the kind says
 * which test runs them, the name is that of the case.  A program is built for one of them, -DEVIL=EVILD_SHORT.
 */
/* evild.c: a mapd that violates the protocol or sends false values */
#define EVILD_LIST(S) \
	S(VIOLATION, UNKNOWN_TYPE, "unknown-type") \
	S(VIOLATION, WRONG_DIRECTION, "wrong-direction") \
	S(VIOLATION, WRONG_ROLE, "wrong-role") \
	S(VIOLATION, SHORT, "short") \
	S(VIOLATION, LONG, "long") \
	S(VIOLATION, LENGTH_4G, "length-4G") \
	S(VIOLATION, GENERATION, "generation") \
	S(VIOLATION, WRONG_STATE, "wrong-state") \
	S(VIOLATION, FLOOD, "flood") \
	S(VIOLATION, TEXT_TOO_LONG, "text-too-long") \
	S(VIOLATION, TEXT_CONTROLS, "text-controls") \
	S(VIOLATION, BAD_VALUE, "bad-value") \
	S(VIOLATION, BAD_DIAL, "bad-dial") \
	S(VIOLATION, TAIL, "tail") \
	S(VIOLATION, UNASKED_CACHE_WRITTEN, "unasked-cache-written") \
	S(VIOLATION, UNASKED_CACHE_LOADED, "unasked-cache-loaded") \
	S(VIOLATION, CACHED_UNASKED, "cached-unasked") \
	S(VIOLATION, CACHED_AND_SYNCED, "cached-and-synced") \
	S(VIOLATION, HANGS_UP, "hangs-up") \
	S(HARMLESS, HALF_HEADER, "half-header") \
	S(HARMLESS, OTHER_ID, "other-id") \
	S(HARMLESS, FORGED_SELF, "forged-self") \
	S(HARMLESS, HANDSHAKES, "handshakes") \
	S(HARMLESS, EXIT_WISH, "exit-request") \
	S(HARMLESS, DESCRIPTORS, "descriptors") \
	S(HARMLESS, LOG_ESCAPES, "log-escapes") \
	S(HARMLESS, DIALS, "dials") \
	S(HARMLESS, LIMITS, "limits") \
	S(HARMLESS, EXIT_WISHES, "exit-requests") \
	S(HARMLESS, DIAL_PLANS, "dial-plans") \
	S(HARMLESS, NEVER_READS, "never-reads") \
	S(CACHE_VIOLATION, CACHE_WRITTEN_TWICE, "written-twice") \
	S(CACHE_VIOLATION, CACHE_OTHER_ID, "other-id") \
	S(CACHE_VIOLATION, CACHE_BAD_RESULT, "bad-result") \
	S(CACHE_VIOLATION, CACHE_SIZE_ABOVE_LIMIT, "size-above-limit") \
	S(CACHE_LIE, CACHE_NOTHING_WRITTEN, "nothing-written") \
	S(CACHE_LIE, CACHE_RUBBISH, "rubbish") \
	S(CACHE_LIE, CACHE_RUBBISH_GOES_ON, "rubbish-goes-on") \
	S(CACHE_LIE, CACHE_NO_ANSWER, "no-answer") \
	S(CACHE_FLOOD, CACHE_WRITTEN_ALL_THE_TIME, "written-all-the-time") \
	S(CACHE_READ, CACHE_ANSWERED, "answered") \
	S(CACHE_READ, CACHE_UNANSWERED, "unanswered")

/* evilflood.c: a mapd that breaks no rule, 1800 times a second */
#define EVILFLOOD_LIST(S) \
	S(FLOOD, EXPIRY, "expiry") \
	S(FLOOD, EXPIRED, "expired") \
	S(FLOOD, CLOCK, "clock") \
	S(FLOOD, CHANGES, "changes") \
	S(FLOOD, ERRORS, "errors") \
	S(FLOOD, URLS, "urls") \
	S(FLOOD, DIALS, "dials") \
	S(FLOOD, HANDSHAKES, "handshakes") \
	S(FLOOD, STREAMS, "streams")

/* evilauth.c: an authd that violates the protocol or sends false values */
#define EVILAUTH_LIST(S) \
	S(AUTHD_VIOLATION, TWO_RESULTS, "two-results") \
	S(AUTHD_VIOLATION, BAD_OUTCOME, "bad-outcome") \
	S(AUTHD_VIOLATION, NO_URL, "no-url") \
	S(AUTHD_VIOLATION, STEP, "step") \
	S(AUTHD_VIOLATION, MAPDS, "mapds") \
	S(AUTHD_VIOLATION, HANGS_UP, "hangs-up") \
	S(AUTHD_LIE, FORGED_KEY, "forged-key") \
	S(AUTHD_LIE, OTHER_ID, "other-id") \
	S(AUTHD_LIE, URLS, "urls") \
	S(AUTHD_LIE, HANDSHAKES, "handshakes") \
	S(AUTHD_LIE, EXPIRED, "expired") \
	S(AUTHD_LIE, NO_ANSWER, "no-answer")

#define S(kind, symbol, name) EVILD_##symbol,
enum evild_scenario { EVILD_LIST(S) };
#undef S
#define S(kind, symbol, name) EVILFLOOD_##symbol,
enum evilflood_scenario { EVILFLOOD_LIST(S) };
#undef S
#define S(kind, symbol, name) EVILAUTH_##symbol,
enum evilauth_scenario { EVILAUTH_LIST(S) };
#undef S

#endif
