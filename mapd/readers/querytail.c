/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "querytail.h"
#include "text.h"

/* "limit=N" "after=ID", each at most once. */
static int
read_peers(struct querytail *t)
{
	char words[sizeof(t->text)], *word, *save = NULL;
	int has_limit = 0;
	int64_t v;

	memcpy(words, t->text, sizeof(words));
	for (word = strtok_r(words, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save)) {
		if (strncmp(word, "limit=", 6) == 0 && !has_limit &&
		    text_to_i64(word + 6, strlen(word + 6), 0, INT64_MAX, &v) == 0) {
			t->limit = (uint64_t)v;
			has_limit = 1;
		} else if (strncmp(word, "after=", 6) == 0 && !t->has_after &&
		    text_to_i64(word + 6, strlen(word + 6), INT64_MIN, INT64_MAX, &t->after) == 0)
			t->has_after = 1;
		else
			return -1;
	}
	return 0;
}

int
querytail_read(struct querytail *t, const struct ipc_query *m)
{
	const char *from = m->data, *end = m->data + m->data_len;

	while (end > from && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t'))
		end--;
	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	memset(t, 0, sizeof(*t));
	memcpy(t->text, from, (size_t)(end - from));
	t->limit = UINT64_MAX;
	switch (m->verb) {
	case IPC_Q_PEERS: return read_peers(t);
	case IPC_Q_PEER: return t->text[0] != '\0' && strpbrk(t->text, " \t") == NULL ? 0 : -1;
	case IPC_Q_WGCONF: /* "private" is decided by the parent alone, which does not send it here */
	case IPC_Q_HOSTS: return t->text[0] == '\0' ? 0 : -1;
	default: return 0;
	}
}

char *
querytail_usage(uint32_t verb, char *out, size_t size)
{
	enum {
#define C(id, name, class, min, max, tail, usage, run, args, help, words) ROW_##id,
#define T(name, run, args, help, words)
		COMMANDS(C, T)
#undef C
	};
	static const struct {
		const char *name, *usage;
	} rows[] = {
#define C(id, name, class, min, max, tail, usage, run, args, help, words) [ROW_##id] = { name, usage },
		COMMANDS(C, T)
#undef C
#undef T
	};
	static const int of[] = { [IPC_Q_NETMAP] = ROW_netmap,
		[IPC_Q_PEERS] = ROW_peers,
		[IPC_Q_PEER] = ROW_peer,
		[IPC_Q_WGCONF] = ROW_wgconf,
		[IPC_Q_HOSTS] = ROW_hosts };

	snprintf(out, size, "usage: %s%s%s", rows[of[verb]].name, *rows[of[verb]].usage != '\0' ? " " : "",
	    rows[of[verb]].usage);
	return out;
}
