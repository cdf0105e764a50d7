/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <inttypes.h>
#include <string.h>

#include "clients.h"
#include "ctl.h"
#include "endmark.h"

static int
is(const char *line, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(line, text, n) == 0;
}

void
endmark_line(struct endmark *e, const char *line, size_t n)
{
	switch (e->kind) {
	case END_NONE: return;
	case END_METRICS: e->found = is(line, n, "# EOF"); return;
	case END_LINES:
		if (!(e->found = end_line_read(line, n, &e->said, &e->seq)))
			e->count++;
		return;
	case END_WGCONF: e->count += is(line, n, "[Peer]") ? 1 : 0; break;
	case END_HOSTS: break;
	}
	e->found = end_text_read(line, n, &e->said, &e->seq);
}

int
endmark_check(const struct endmark *e, const struct ctl *c)
{
	static const char *const ends[] = { [END_LINES] = "{\"end\":...}",
		[END_WGCONF] = "# end: ...",
		[END_HOSTS] = "# end: ...",
		[END_METRICS] = "# EOF" };

	if (e->kind == END_NONE)
		return CTL_OK;
	if (!e->found)
		return ctl_fail(c, CTL_ERROR,
		    "tailnetd's answer is incomplete: the line `%s` at its end is missing, because the process that "
		    "answered has ended, or because this tailnetd is of an older version",
		    ends[e->kind]);
	if (e->count != e->said && (e->kind == END_LINES || e->kind == END_WGCONF))
		return ctl_fail(c, CTL_ERROR, "tailnetd's answer is incomplete: %" PRIu64 " of %" PRIu64 " came",
		    e->count, e->said);
	return CTL_OK;
}
