/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>
#include <time.h>

#include "timefmt.h"

#define SEC_PER_DAY       86400
#define TIME_LAST         ((int64_t)253402300799) /* 9999-12-31T23:59:59Z */
#define DAYS_0000_TO_1970 719468                  /* from 0000-03-01 */
#define DAYS_PER_ERA      146097                  /* 400 years */

int
time_is_none(struct wtime t)
{
	return t.sec == TIME_GO_ZERO && t.nsec == 0;
}

int
time_cmp(struct wtime a, struct wtime b)
{
	if (a.sec != b.sec)
		return a.sec < b.sec ? -1 : 1;
	if (a.nsec != b.nsec)
		return a.nsec < b.nsec ? -1 : 1;
	return 0;
}

/* Proleptic Gregorian calendar; years begin in March, so that the leap day is a year's last. */
static int64_t
days_from_civil(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400, yoe = y % 400;
	int doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return (int64_t)era * DAYS_PER_ERA + yoe * 365 + yoe / 4 - yoe / 100 + doy - DAYS_0000_TO_1970;
}

static void
civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + DAYS_0000_TO_1970;
	int era = (int)(z / DAYS_PER_ERA), doe = (int)(z % DAYS_PER_ERA);
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = yoe + era * 400 + (*month <= 2);
}

static int
days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

struct cursor {
	const char *s, *end;
};

/* Exactly `digits` digits with a value in min..max; -1 if not. */
static int
scan_num(struct cursor *c, int digits, int min, int max)
{
	int v = 0;

	while (digits-- > 0) {
		if (c->s == c->end || *c->s < '0' || *c->s > '9')
			return -1;
		v = v * 10 + (*c->s++ - '0');
	}
	return v < min || v > max ? -1 : v;
}

static int
scan_char(struct cursor *c, char want)
{
	if (c->s == c->end || *c->s != want)
		return -1;
	c->s++;
	return 0;
}

/* Digits past the ninth are read and dropped. */
static int
scan_fraction(struct cursor *c, int32_t *nsec)
{
	int32_t v = 0, scale = 100000000;
	const char *from;

	*nsec = 0;
	if (scan_char(c, '.') == -1)
		return 0;
	for (from = c->s; c->s < c->end && *c->s >= '0' && *c->s <= '9'; c->s++) {
		v += (*c->s - '0') * scale;
		scale /= 10;
	}
	*nsec = v;
	return c->s == from ? -1 : 0;
}

static int
scan_offset(struct cursor *c, int *seconds)
{
	int sign, h, m;

	*seconds = 0;
	if (scan_char(c, 'Z') == 0)
		return 0;
	if (scan_char(c, '+') == 0)
		sign = 1;
	else if (scan_char(c, '-') == 0)
		sign = -1;
	else
		return -1;
	if ((h = scan_num(c, 2, 0, 23)) == -1 || scan_char(c, ':') == -1 || (m = scan_num(c, 2, 0, 59)) == -1)
		return -1;
	*seconds = sign * (h * 3600 + m * 60);
	return 0;
}

int
time_parse(const char *s, size_t n, struct wtime *out)
{
	struct cursor c = { s, s + n };
	int year, month, day, h, m, sec, offset;
	struct wtime t;

	if ((year = scan_num(&c, 4, 1, 9999)) == -1 || scan_char(&c, '-') == -1 ||
	    (month = scan_num(&c, 2, 1, 12)) == -1 || scan_char(&c, '-') == -1 ||
	    (day = scan_num(&c, 2, 1, days_in_month(year, month))) == -1 || scan_char(&c, 'T') == -1 ||
	    (h = scan_num(&c, 2, 0, 23)) == -1 || scan_char(&c, ':') == -1 || (m = scan_num(&c, 2, 0, 59)) == -1 ||
	    scan_char(&c, ':') == -1 || (sec = scan_num(&c, 2, 0, 59)) == -1 || scan_fraction(&c, &t.nsec) == -1 ||
	    scan_offset(&c, &offset) == -1 || c.s != c.end)
		return -1;
	t.sec = days_from_civil(year, month, day) * SEC_PER_DAY + h * 3600 + m * 60 + sec - offset;
	if (t.sec < TIME_GO_ZERO || t.sec > TIME_LAST)
		return -1;
	*out = t;
	return 0;
}

/* n digits and the character behind them; returns past it.  Three times for each peer of a dump: no printf. */
static char *
put_digits(char *o, int v, int n, char behind)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		o[i] = (char)('0' + v % 10);
	o[n] = behind;
	return o + n + 1;
}

char *
time_format(struct wtime t, char out[TIME_TEXT_MAX])
{
	int64_t sec = t.sec < TIME_GO_ZERO ? TIME_GO_ZERO : t.sec > TIME_LAST ? TIME_LAST : t.sec;
	int64_t days = (sec - TIME_GO_ZERO) / SEC_PER_DAY + TIME_GO_ZERO / SEC_PER_DAY;
	int rest = (int)((sec - TIME_GO_ZERO) % SEC_PER_DAY);
	int year, month, day;
	char *o = out;

	civil_from_days(days, &year, &month, &day);
	o = put_digits(o, year, 4, '-');
	o = put_digits(o, month, 2, '-');
	o = put_digits(o, day, 2, 'T');
	o = put_digits(o, rest / 3600, 2, ':');
	o = put_digits(o, rest / 60 % 60, 2, ':');
	o = put_digits(o, rest % 60, 2, '.');
	if (t.nsec > 0 && t.nsec < 1000000000)
		for (o = put_digits(o, t.nsec, 9, '0'); o[-1] == '0'; o--)
			;
	else
		o--; /* without the point */
	*o++ = 'Z';
	*o = '\0';
	return out;
}

struct wtime
time_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct wtime){ ts.tv_sec, (int32_t)ts.tv_nsec };
}

static uint64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
time_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t
time_mono_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t
time_boot_ms(void)
{
#ifdef CLOCK_BOOTTIME
	return clock_us(CLOCK_BOOTTIME) / 1000;
#else
	return clock_us(CLOCK_REALTIME) / 1000;
#endif
}
