/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "querytail.h"

/* Pure, and in a room that mapd does not see. */
#include "../../../tailnetd/control/command_line.c"

/*
 * A client's line as the parent reads it, and what mapd reads in the tail that it gets unsplit: both agree on the
 * number of arguments, and what asks for a right is refused there unless the parent says so by a number.
 */
static const struct {
	enum command_id id;
	enum ipc_query_verb verb;
} queries[] = {
	{ COMMAND_netmap, IPC_Q_netmap },
	{ COMMAND_peers, IPC_Q_peers },
	{ COMMAND_peer, IPC_Q_peer },
	{ COMMAND_wgconf, IPC_Q_wgconf },
	{ COMMAND_hosts, IPC_Q_hosts },
};

static void
need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_querytail: %s\n", what);
	abort();
}

static void
compare(const struct command_line *cl, enum ipc_query_verb verb)
{
	static struct ipc_query m;
	static struct querytail t;
	int fits = command_line_fits(cl), accepted;

	memset(&m, 0, sizeof(m));
	m.verb = (uint32_t)verb;
	m.data_len = (uint16_t)strlen(cl->args[0]);
	memcpy(m.data, cl->args[0], m.data_len);
	accepted = querytail_read(&t, &m) == 0;
	if (accepted && verb != IPC_Q_netmap) {
		need(fits, "mapd accepts what the parent refuses");
		need(count_words(t.text) == cl->n, "the number of arguments differs");
		need(strcmp(t.text, cl->args[0]) == 0, "the arguments differ");
	}
	if (verb == IPC_Q_peer || verb == IPC_Q_hosts)
		need(accepted == fits, "the parent accepts what mapd refuses");
	if (verb == IPC_Q_wgconf) {
		need(accepted == (cl->n == 0), "mapd reads a right in the tail");
		m.private_written = 1;
		need((querytail_read(&t, &m) == 0) == (cl->n == 0), "mapd reads a right in the tail");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char line[IPC_LINE_MAX + 1];
	struct command_line cl;
	size_t i;

	if (n > IPC_LINE_MAX)
		return 0;
	memcpy(line, data, n);
	line[n] = '\0';
	if (command_line_read(&cl, line, n) == -1 || cl.id == COMMAND_COUNT)
		return 0;
	need((command_table[cl.id].tail == COMMAND_QUERY) ==
		(cl.id == COMMAND_netmap || cl.id == COMMAND_peers || cl.id == COMMAND_peer ||
		    cl.id == COMMAND_wgconf || cl.id == COMMAND_hosts),
	    "a command that mapd answers is not compared here");
	for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		if (queries[i].id == cl.id)
			compare(&cl, queries[i].verb);
	return 0;
}
