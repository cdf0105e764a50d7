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
#define SEND_ENUM(member) m->member = (uint32_t)c->member;
#define SEND_NUMBER(member) m->member = c->member;
#define SEND_SECONDS(member) m->member = c->member;
#define SEND_SIZE(member) m->member = c->member;
#define SEND_TEXT(member) IPC_SET(m, member, c->member, strlen(c->member));
#define ROW(keyword, member, type, range, value, def, flags, child) IPC_SENT_##child(SEND_##type(member))
#define TEXT(member, size) SEND_TEXT(member)
#define NUMBER(member, min, max) SEND_NUMBER(member)
/* clang-format on */

void
config_record(const struct config *c, struct ipc_config *m)
{
	memset(m, 0, sizeof(*m));
	KEYWORD_PARTS(TEXT, NUMBER)
	KEYWORDS(ROW)
}
