/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CAUSES_H
#define CAUSES_H

/*
 * Why a connection, a request or a map stream failed, in the groups that differ in what to do about it.  The cause is
 * set where the error arises, beside its text; nothing is decided by looking into a text.
 *
 *	C(id, advice)	CAUSE_id of common/base/cause.h; advice: for people, behind the error and "; "; "" = none
 *
 * When several attempts failed the first of this list counts.  SERVER_KEY is first because it also makes the parent
 * ask for the server's key again (protocol.md C.4).
 */
#define CAUSES(C) \
	C(NONE, "") \
	C(SERVER_KEY, "see `tailnetctl server-key`") \
	C(CERTIFICATE, "if its CA is a private one, name it by ca-file") \
	C(NOT_CONTROL, "check that control-url is that of a control server") \
	C(UNKNOWN_NODE, "the server does not know this node: `tailnetctl login`") \
	C(HTTP, "the server's own log may say why") \
	C(MAP_REFUSED, "inform the administrator of the server") \
	C(PROXY, "check proxy") \
	C(OTHER, "`tailnetctl doctor` shows how far it gets")

#endif
