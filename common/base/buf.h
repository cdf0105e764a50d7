/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef BUF_H
#define BUF_H

#include <stddef.h>
#include <stdint.h>

/*
 * A growable byte queue with a hard limit.  Bytes are appended at the end, consumed from the front.  A failed append
 * (limit or memory) returns -1 with errno ENOBUFS or ENOMEM, leaves the contents as they were and sets `failed`, so
 * that a writer may check once at the end.  Where memory ends the process (mem.h) only the limit can make it fail.
 */
struct buf {
	uint8_t	*mem;
	size_t	 off;		/* first unread byte */
	size_t	 end;		/* one past the last byte */
	size_t	 cap;
	size_t	 max;		/* most unread bytes ever held */
	int	 failed;
};

void	 buf_init(struct buf *b, size_t max);
void	 buf_free(struct buf *b);			/* wipes nothing: not for secrets */
void	 buf_reset(struct buf *b);			/* empty, keeps memory, clears failed */
static inline size_t buf_len(const struct buf *b) { return b->end - b->off; }
static inline uint8_t *buf_ptr(const struct buf *b) { return b->mem ? b->mem + b->off : NULL; }
int	 buf_put(struct buf *b, const void *p, size_t n);
int	 buf_puts(struct buf *b, const char *s);
int	 buf_putc(struct buf *b, char c);
int	 buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint8_t	*buf_reserve(struct buf *b, size_t n);		/* room for n more bytes, or NULL; commit with buf_commit */
void	 buf_commit(struct buf *b, size_t n);
void	 buf_consume(struct buf *b, size_t n);		/* n <= buf_len */
void	 buf_shrink(struct buf *b);			/* give spare memory back */

#endif
