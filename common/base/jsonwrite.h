/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef JSONWRITE_H
#define JSONWRITE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * JSON text written by hand: no tree.  jw_* append to a buf; commas are put by the writer, which keeps a small stack.
 * Errors show in buf.failed at the end.
 */
struct jw { struct buf *b; unsigned depth; uint64_t first; int after_key; };
void	 jw_init(struct jw *w, struct buf *b);
void	 jw_obj(struct jw *w);			/* { */
void	 jw_obj_end(struct jw *w);
void	 jw_arr(struct jw *w);
void	 jw_arr_end(struct jw *w);
void	 jw_key(struct jw *w, const char *k);
void	 jw_str(struct jw *w, const char *s);			/* terminated */
void	 jw_strn(struct jw *w, const char *s, size_t n);	/* bad UTF-8 becomes U+FFFD, NUL becomes \u0000 */
void	 jw_i64(struct jw *w, int64_t v);
void	 jw_u64(struct jw *w, uint64_t v);
void	 jw_f1(struct jw *w, double v);			/* one decimal: ages */
void	 jw_bool(struct jw *w, int v);
void	 jw_null(struct jw *w);
void	 jw_raw(struct jw *w, const char *s, size_t n);	/* n bytes of finished JSON, unchecked */
/* Shorthands: key and value. */
void	 jw_kstr(struct jw *w, const char *k, const char *s);
void	 jw_ki64(struct jw *w, const char *k, int64_t v);
void	 jw_kbool(struct jw *w, const char *k, int v);

#endif
