/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ENDMARK_H
#define ENDMARK_H

#include <stddef.h>
#include <stdint.h>

struct ctl;

/*
 * The end that an answer of several lines must have (interface.md 3): without it the answer was cut off, however whole
 * it looks.  Each line is passed to it in turn.
 */
enum end_kind {
	END_NONE,	/* one JSON value: its own end is enough */
	END_LINES,	/* JSON lines: an end object with their number */
	END_WGCONF,	/* text: an end comment with the number of [Peer] sections */
	END_HOSTS,	/* text: an end comment */
	END_METRICS	/* "# EOF" */
};

struct endmark {
	enum end_kind	 kind;
	uint64_t	 count;		/* lines or sections received */
	uint64_t	 said;		/* the number in the end */
	uint64_t	 seq;		/* netmapSeq of the end */
	int		 found;		/* the last line was the end */
};

void	 endmark_line(struct endmark *e, const char *line, size_t n);	/* a whole line without its break */
/* CTL_OK, or CTL_ERROR with a complaint that says what is missing. */
int	 endmark_check(const struct endmark *e, const struct ctl *c);

#endif
