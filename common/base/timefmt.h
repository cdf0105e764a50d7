/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TIMEFMT_H
#define TIMEFMT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Wall-clock instants as the protocol has them (protocol.md A.3): RFC 3339 with up to nine fraction digits.  Go's zero
 * time, 0001-01-01T00:00:00Z, means none/never and is represented as TIME_NONE.
 */
struct wtime { int64_t sec; int32_t nsec; };			/* Unix seconds, 0 <= nsec < 1e9 */
#define TIME_GO_ZERO	((int64_t)-62135596800)		/* Unix second of year 1 */
#define TIME_NONE	((struct wtime){ TIME_GO_ZERO, 0 })
#define TIME_TEXT_MAX	40
#define GO_ZERO_TIME_TEXT "0001-01-01T00:00:00Z"

int	 time_is_none(struct wtime t);
int	 time_cmp(struct wtime a, struct wtime b);
/* The n bytes at s are the whole text.  0, or -1 if not RFC 3339.  Years 0001..9999. */
int	 time_parse(const char *s, size_t n, struct wtime *out);
/* "2027-01-02T03:04:05Z", with a fraction only when nsec != 0 (trailing zeros cut, as Go prints); returns out. */
char	*time_format(struct wtime t, char out[TIME_TEXT_MAX]);

struct wtime time_wall(void);			/* CLOCK_REALTIME */
uint64_t time_mono_ms(void);			/* CLOCK_MONOTONIC: all timeouts (security.md D16) */
uint64_t time_mono_us(void);
uint64_t time_boot_ms(void);			/* with time in suspend, if there is such a clock, else wall clock */

#endif
