/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "querytail.h"
#include "text.h"

static const struct { /* each QUERY of common/lists/commands.h */
	const char *name, *usage;
	int min, max;
} rows[IPC_Q_COUNT] = {
#define ROW_SPLIT(id, ...)
#define ROW_WHOLE(id, ...)
#define ROW_QUERY(id, ...)                                                [IPC_Q_##id] = { __VA_ARGS__ },
#define C(id, name, class, min, max, tail, usage, run, args, help, words) ROW_##tail(id, name, usage, min, max)
#define T(name, run, args, help, words)
	COMMANDS(C, T)
#undef C
#undef T
};

static int
count_arguments(const char *s)
{
	int n = 0;

	for (s += strspn(s, " \t"); *s != '\0'; s += strspn(s, " \t")) {
		n++;
		s += strcspn(s, " \t");
	}
	return n;
}

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
	int n;

	while (end > from && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t'))
		end--;
	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	memset(t, 0, sizeof(*t));
	memcpy(t->text, from, (size_t)(end - from));
	t->limit = UINT64_MAX;
	n = count_arguments(t->text);
	switch (m->verb) {
	case IPC_Q_WATCH_NETMAP: return 0;
	case IPC_Q_wgconf: return n == 0 ? 0 : -1; /* the parent alone decides "private", and does not send it here */
	case IPC_Q_peers: return read_peers(t);
	default: return n >= rows[m->verb].min && n <= rows[m->verb].max ? 0 : -1;
	}
}

char *
querytail_usage(uint32_t verb, char *out, size_t size)
{
	snprintf(out, size, "usage: %s%s%s", rows[verb].name, *rows[verb].usage != '\0' ? " " : "", rows[verb].usage);
	return out;
}
