/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "jsonwrite.h"
#include "text.h"

#define JW_DEPTH 63 /* bits of jw.first; level 0 is outside any value and has no commas */

void
jw_init(struct jw *w, struct buf *b)
{
	memset(w, 0, sizeof(*w));
	w->b = b;
}

static void
jw_sep(struct jw *w)
{
	uint64_t bit = (uint64_t)1 << w->depth;

	if (w->after_key)
		w->after_key = 0;
	else if (w->first & bit)
		w->first &= ~bit;
	else if (w->depth > 0)
		buf_putc(w->b, ',');
}

static void
jw_open(struct jw *w, char c)
{
	jw_sep(w);
	buf_putc(w->b, c);
	if (w->depth == JW_DEPTH) {
		w->b->failed = 1;
		errno = EOVERFLOW;
		return;
	}
	w->depth++;
	w->first |= (uint64_t)1 << w->depth;
}

static void
jw_close(struct jw *w, char c)
{
	buf_putc(w->b, c);
	if (w->depth > 0) {
		w->first &= ~((uint64_t)1 << w->depth);
		w->depth--;
	}
}

void
jw_obj(struct jw *w)
{
	jw_open(w, '{');
}

void
jw_obj_end(struct jw *w)
{
	jw_close(w, '}');
}

void
jw_arr(struct jw *w)
{
	jw_open(w, '[');
}

void
jw_arr_end(struct jw *w)
{
	jw_close(w, ']');
}

void
jw_key(struct jw *w, const char *k)
{
	jw_sep(w);
	json_quote(w->b, k, strlen(k));
	buf_putc(w->b, ':');
	w->after_key = 1;
}

void
jw_str(struct jw *w, const char *s)
{
	jw_strn(w, s, strlen(s));
}

void
jw_strn(struct jw *w, const char *s, size_t n)
{
	jw_sep(w);
	json_quote(w->b, s, n);
}

void
jw_i64(struct jw *w, int64_t v)
{
	jw_sep(w);
	buf_printf(w->b, "%" PRId64, v);
}

void
jw_u64(struct jw *w, uint64_t v)
{
	jw_sep(w);
	buf_printf(w->b, "%" PRIu64, v);
}

void
jw_f1(struct jw *w, double v)
{
	jw_sep(w);
	if (isfinite(v))
		buf_printf(w->b, "%.1f", v);
	else
		buf_puts(w->b, "null");
}

void
jw_bool(struct jw *w, int v)
{
	jw_sep(w);
	buf_puts(w->b, v ? "true" : "false");
}

void
jw_null(struct jw *w)
{
	jw_sep(w);
	buf_puts(w->b, "null");
}

void
jw_raw(struct jw *w, const char *s, size_t n)
{
	jw_sep(w);
	buf_put(w->b, s, n);
}

void
jw_kstr(struct jw *w, const char *k, const char *s)
{
	jw_key(w, k);
	jw_str(w, s);
}

void
jw_ki64(struct jw *w, const char *k, int64_t v)
{
	jw_key(w, k);
	jw_i64(w, v);
}

void
jw_kbool(struct jw *w, const char *k, int v)
{
	jw_key(w, k);
	jw_bool(w, v);
}
