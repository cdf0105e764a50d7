/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "configkw.h"
#include "configrecord.h"
#include "ipc.h"

/* No keyword that is a secret is sent. */
enum { NO, PARTS, CHILD, WIRE };
enum { LIST = KEYWORD_LIST, RESTART = KEYWORD_RESTART, SECRET = KEYWORD_SECRET };
#define ROW(keyword, member, type, range, value, def, flags, child) \
	_Static_assert(((flags)&SECRET) == 0 || (child) < CHILD, keyword ": a secret for no child");
KEYWORDS(ROW)
#undef ROW

/* clang-format off */
#define SEND_NO(member)
#define SEND_PARTS(member)
#define SEND_CHILD(member) m->member = c->member;
#define SEND_WIRE(member) m->member = c->member;
#define ROW(keyword, member, type, range, value, def, flags, child) SEND_##child(member)
#define TEXT(member, size) IPC_SET(m, member, c->member, strlen(c->member));
#define NUMBER(member, min, max) m->member = c->member;
/* clang-format on */

void
config_record(const struct config *c, struct ipc_config *m)
{
	memset(m, 0, sizeof(*m));
	KEYWORD_PARTS(TEXT, NUMBER)
	KEYWORDS(ROW)
}
