/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONFIGKW_H
#define CONFIGKW_H

#include "config.h"

/* One row of the keyword table (interface.md 2).  Between config.c, the reader, and configkw.c, the table. */
struct buf;
struct keyword {
	const char *name;
	const char *expects;	/* for messages: what the value looks like */
	/* v[0..n-1] are the values.  0, or -1 with an own reason in why, or with why left empty: `expects` is told. */
	int	(*parse)(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize);
	void	(*print)(const struct config *c, const struct keyword *kw, struct buf *out);
	size_t	 off, size;	/* of the member in struct config */
	const char *const *words;	/* enumerations: names of 0, 1, ... */
	int64_t	 min, max;
	int	 list;		/* takes several values */
	int	 restart;	/* a change needs a restart, HUP refuses it */
};
extern const struct keyword config_keywords[];	/* ends with name NULL */
#define CONFIG_KEYWORDS_MAX 64

void	 config_defaults(struct config *c);
/* What depends on several keywords: ports, the http rule, unsupported combinations.  0, or -1 with a reason about that keyword. */
int	 config_finish(struct config *c, const char **about, char *why, size_t whysize);

#endif
