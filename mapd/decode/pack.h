/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PACK_H
#define PACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "timefmt.h"

/*
 * Packed JSON: how every value of the netmap is kept.  One tag byte per value; keys, times, addresses and repeated
 * strings in binary. Unpacking gives the same JSON value: strings are stored escaped as they will be printed,
 * numbers with their digits, and the binary forms are used only for texts that their formatter reproduces byte for
 * byte.
 */
enum pack_tag {
	PK_END,			/* of an object or array */
	PK_OBJ,			/* name, value, ..., PK_END */
	PK_ARR,			/* value, ..., PK_END */
	PK_NULL,
	PK_FALSE,
	PK_TRUE,
	PK_NUM,			/* varint length, text */
	PK_INT,			/* varint: a whole number without sign */
	PK_STR,			/* varint length, escaped text */
	PK_NODEKEY, PK_MKEY, PK_DISCO,	/* 32 bytes */
	PK_TIME,		/* 5 bytes: seconds since year 1; Z */
	PK_TIMEN,		/* and 4 bytes: nanoseconds */
	PK_PFX4,		/* 4 bytes, bits */
	PK_PFX6,		/* 16 bytes, bits */
	PK_EP4,			/* 4 bytes, port */
	PK_EP6,			/* 16 bytes, port */
	PK_HEX,			/* length (1 byte, at most 60), bytes: an even number of lower-case hex digits */
	PK_FQDN,		/* length (1 byte, at most 30), bytes, 2 bytes: index of a dictionary string */
	PK_DICT0,		/* 16 tags: index of a dictionary string, high bits in the tag, 1 byte more */
	PK_SHORT = 0x40,	/* 0x40..0x9f: a string of 0..95 bytes */
	PK_SMALL = 0xa0		/* 0xa0..0xff: a number of 0..95 */
};
#define PK_NDICT	16
#define PK_FQDN_LABEL	30		/* with the longest dictionary string less than PK_TMP */
#define PK_DICT_MAX	(PK_NDICT * 256)	/* strings that can be named */
#define PK_NSHORT	96
#define PK_NSMALL	96

/*
 * Names in objects: 1..0xdf = index of a dictionary string, 0xe0..0xef index >> 8 and one byte more, 0xf0 = varint
 * length and escaped text, 0 = end.
 */
#define PK_NAME_DICT2	0xe0
#define PK_NAME_TEXT	0xf0

/* Growing byte string. */
struct pb {
	uint8_t	*p;
	size_t	 n, cap;
};
void	 pb_grow(struct pb *b, size_t more);
void	 pb_free(struct pb *b);
static inline void
pb_need(struct pb *b, size_t more)
{
	if (b->cap - b->n < more)
		pb_grow(b, more);
}
static inline void
pb_byte(struct pb *b, uint8_t c)
{
	pb_need(b, 1);
	b->p[b->n++] = c;
}
static inline void
pb_put(struct pb *b, const void *p, size_t n)
{
	if (n > 0) {
		pb_need(b, n);
		memcpy(b->p + b->n, p, n);
		b->n += n;
	}
}
void	 pb_puts(struct pb *b, const char *s);
void	 pb_printf(struct pb *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void	 pb_varint(struct pb *b, uint64_t v);
uint64_t pk_varint(const uint8_t **p);
void	 pb_i64(struct pb *b, int64_t v);				/* decimal */
void	 pb_str(struct pb *b, const uint8_t *escaped, size_t n);	/* as packed value */
void	 pb_time(struct pb *b, struct wtime t);				/* packed */
void	 pb_quote(struct pb *b, const char *s, size_t n);		/* JSON text, quoted and escaped */

/* A packed value in memory. */
struct pv {
	const uint8_t	*p;
	size_t		 n;
};
struct dict;

const uint8_t *pk_skip(const uint8_t *p);		/* past the value at p; p must be well-formed (we wrote it) */
static inline struct pv
pv_at(const uint8_t *p)
{
	return (struct pv){ p, (size_t)(pk_skip(p) - p) };
}
/* Iterate: p starts at pk_first(container); returns 0 at the end.  name: dictionary index or 0 with *text. */
static inline const uint8_t *pk_first(const uint8_t *container) { return container + 1; }
int	 pk_member(const uint8_t **p, unsigned *name, struct pv *text, const uint8_t **value);
int	 pk_element(const uint8_t **p, const uint8_t **value);
size_t	 pk_count(const uint8_t *container);		/* members or elements */
const uint8_t *pk_get(const uint8_t *obj, unsigned name);	/* NULL: not there */
/* 1 = a whole number (strings and others: 0). */
int	 pk_i64(const uint8_t *p, const struct dict *d, int64_t *v);
int	 pk_f64(const uint8_t *p, double *v);
int	 pk_time(const uint8_t *p, const struct dict *d, struct wtime *t);
/* Prefix or address. */
int	 pk_addr(const uint8_t *p, const struct dict *d, uint8_t addr[16], unsigned *family, unsigned *bits);
void	 pk_name_put(struct pb *b, unsigned name);
void	 pk_name_text(struct pb *b, const uint8_t *escaped, size_t n);
/* Byte equality: two values packed with the same dictionary are the same JSON then. */
static inline int
pv_equal(struct pv a, struct pv b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
