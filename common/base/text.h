/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* 1 if the n bytes are UTF-8 without control characters (C0, DEL, C1). */
int	 text_is_plain(const char *s, size_t n);
/*
 * Make foreign text safe to print or to pass on: control characters (C0, DEL, C1), bad UTF-8 bytes and bidirectional
 * overrides become \xNN or \u{NNNN}; at most outsize-1 bytes are written, never half an escape or half a character.
 * Returns the length.  Always terminates out.
 */
size_t	 text_sanitize(const char *s, size_t n, char *out, size_t outsize);
/* Stars in place of every run of text that is the secret, its first 8 bytes at least: what is cut off at the end hides, too. */
void	 text_hide(char *text, const char *secret, size_t n);
/* Decimal integers with a full-string and range check: 0, or -1. */
int	 text_to_i64(const char *s, size_t n, int64_t min, int64_t max, int64_t *out);

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
/* Just the quoted string, for writers that keep their own commas. */
int	 json_quote(struct buf *b, const char *s, size_t n);

#endif
