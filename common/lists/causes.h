/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CAUSES_H
#define CAUSES_H

/*
 * Why a connection, a request or a map stream failed, in the groups that differ in what to do about it.  The cause is
 * set where the error arises, beside its text; nothing is decided by looking into a text.
 *
 *	C(id, name, advice)
 *
 *	id	CAUSE_id of common/base/cause.h
 *	name	errCause of the status (interface.md 4)
 *	advice	for people, behind the error and "; "; "" = none, or the login machine has one
 *
 * When several attempts failed the first of this list counts.  SERVER_KEY is first because it also makes the parent
 * ask for the server's key again (protocol.md C.4).
 */
#define CAUSES(C) \
	C(NONE, "", "") \
	C(SERVER_KEY, "server-key", "see `tailnetctl server-key`") \
	C(CERTIFICATE, "certificate", "if its CA is a private one, name it by ca-file") \
	C(CERT_TIME, "certificate-time", "check this machine's clock; if it is right, the certificate is to blame") \
	C(CERT_NAME, "certificate-name", "control-url must have a name for which the certificate is issued") \
	C(CERT_WEAK, "certificate-weak", "the server needs a certificate with longer keys or newer signatures") \
	C(NOT_CONTROL, "not-a-control-server", "check that control-url is that of a control server") \
	C(UNKNOWN_NODE, "unknown-node", "the server does not know this node: `tailnetctl login`") \
	C(HTTP, "http", "the server's own log may say why") \
	C(MAP_REFUSED, "map-refused", "inform the administrator of the server") \
	C(PROXY, "proxy", "check proxy") \
	C(REFUSED, "refused", "") \
	C(OTHER, "other", "`tailnetctl doctor` shows how far it gets")

#endif
