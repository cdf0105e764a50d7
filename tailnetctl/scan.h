/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SCAN_H
#define SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "json.h"

/*
 * Bytes of an answer as they come, and JSON taken from them piece by piece: an answer of any size (a netmap of 100,000
 * peers is one line) is read in bounded memory, one member or element at a time.
 */
struct source {
	int		 fd;		/* -1: only what is in buf */
	char		*buf;
	size_t		 off, len, cap;
	int		 timeout_ms;	/* longest silence; -1 none */
	uint64_t	 deadline_ms;	/* on time_mono_ms(); 0 none */
	int		 err;		/* errno; ETIMEDOUT for silence or deadline, EPROTO for bad JSON */
	char		 why[160];	/* what was wrong with the JSON */
};

#define SCAN_VALUE_MAX	((size_t)8 << 20)	/* longest piece that is kept */

void	 source_init(struct source *s, int fd, int timeout_ms);
void	 source_close(struct source *s);		/* wipes and frees the buffer, closes fd */
int	 source_fill(struct source *s);		/* 1 = there are bytes, 0 = end, -1 = err is set */
int	 source_pending(struct source *s);	/* bytes but white space have been read and not yet taken */
int	 source_peek(struct source *s);		/* next byte, or -1 at the end or on trouble */

int	 scan_space(struct source *s);			/* skip white space; then as source_peek() */
/* One whole value: its text into out (NULL: dropped, any length).  1, 0 = clean end before it, -1. */
int	 scan_value(struct source *s, struct buf *out);
/* The same, parsed.  A JSON null gives 1 and *o NULL. */
int	 scan_json(struct source *s, struct json_object **o);
/*
 * An object or array member by member: each() must consume exactly one value of s with the functions above and return
 * 1.  name is "" in an array.  Returns 1, or -1 (also when each() did).
 */
int	 scan_object(struct source *s, int (*each)(void *arg, const char *name, struct source *s), void *arg);
int	 scan_array(struct source *s, int (*each)(void *arg, const char *name, struct source *s), void *arg);

#endif
