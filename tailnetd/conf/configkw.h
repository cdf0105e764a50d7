/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONFIGKW_H
#define CONFIGKW_H

#include "config.h"

/* The keywords as a table (common/lists/keywords.h).  Between config.c, the reader, and configkw.c, their types. */
struct buf;
struct words {			/* the values of one line, v[0..n-1], and why they were refused */
	char	**v;
	int	  n;
	char	  why[300];
};
struct keyword {
	const char *name;
	const char *value;	/* for messages: what a value looks like */
	const char *def;	/* "" = not set */
	/* 0, or -1 with an own reason in why, or with why left empty: `value` is printed. */
	int	(*parse)(struct config *c, const struct keyword *kw, struct words *w);
	void	(*print)(const struct config *c, const struct keyword *kw, struct buf *out);
	size_t	 off, size;	/* of the member in struct config */
	int64_t	 min, max;
	const char *words;	/* "a|b" */
	unsigned flags;
};
enum { KEYWORD_LIST = 1, KEYWORD_RESTART = 2, KEYWORD_SECRET = 4 };
extern const struct keyword config_keywords[];	/* ends with name NULL */
#define CONFIG_KEYWORDS_MAX 64

void	 config_defaults(struct config *c);
/*
 * What depends on several keywords: ports, the http rule, unsupported combinations.  0, or -1 with why, about a
 * keyword.
 */
int	 config_finish(struct config *c, const char **about, char *why, size_t whysize);

#endif
