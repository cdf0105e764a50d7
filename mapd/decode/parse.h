/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PARSE_H
#define PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "dict.h"
#include "pack.h"
#include "schema.h"

/*
 * JSON text into packed form, checked against the schema in the same pass; there is no tree.  Pulls from a window of
 * text whose end may be in the middle of a value: then the answer is PARSE_MORE, nothing has changed, and the
 * caller tries again with more text.
 */
#define PARSE_PAD	32		/* bytes behind the window that must be readable; the first must be 0 */
#define PARSE_DEPTH	32		/* security.md D15 */
#define PARSE_VALUES	(1u << 22)	/* in one parse_value() */
#define PARSE_STRING	(1u << 20)	/* bytes of one string */
#define PARSE_CAPVALUE	(64u << 10)	/* bytes of one capability's values; larger ones are dropped */

enum parse_result { PARSE_OK, PARSE_MORE, PARSE_BAD };

struct parse_member {			/* offsets in out.p */
	uint32_t	name;		/* name_id, dictionary index or 0 */
	uint32_t	at, value, end;
};

struct parser {
	const uint8_t	*p, *end;	/* window; p moves */
	struct pb	 out;		/* packed values are appended */
	struct dict	*dict;		/* of the values; names must be in it */
	int		 learn;		/* take repeated strings into dict */
	unsigned	 depth;		/* of the containers around: set by the caller */
	size_t		 values;
	size_t		 dropped;	/* items left out because of a limit */
	int		 limit;		/* PARSE_BAD: because of a limit; never reset here */
	/* Members of the object that parse_value() was called for, in order, each name once. */
	struct parse_member *top;
	size_t		 ntop;
	/* private */
	struct parse_member *stack;
	size_t		 nstack, stackcap;
	struct pb	 scratch;
	const char	*why;
	char		 path[120];
	uint16_t	 guess[PK_DICT_MAX + TY_COUNT];	/* the last name behind each name, or first one of each type */
};

void	 parser_init(struct parser *ps, struct dict *d);
void	 parser_free(struct parser *ps);
/*
 * One value of type t at p (white space before it is skipped).  On PARSE_MORE and PARSE_BAD out is as before, p
 * undefined.
 */
enum parse_result parse_value(struct parser *ps, enum type_id t);
/* name_id of a member name among members (exact first, then without regard to ASCII case; A.3), or NM_NONE. */
unsigned parse_member_name(const struct parser *ps, const uint8_t *members, const uint8_t *s, size_t n);
/* Prepend to the path of the error: ".name" or "[index]". */
void	 parse_path(struct parser *ps, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline enum parse_result
parse_fail(struct parser *ps, const char *why)
{
	ps->why = why;
	ps->path[0] = '\0';
	return PARSE_BAD;
}

static inline enum parse_result
parse_limit(struct parser *ps, const char *why)
{
	ps->limit = 1;
	return parse_fail(ps, why);
}

static inline void
parse_space(struct parser *ps)
{
	while (*ps->p == ' ' || *ps->p == '\n' || *ps->p == '\r' || *ps->p == '\t')
		ps->p++;
}

#endif
