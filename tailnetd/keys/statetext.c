/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "hex.h"
#include "keyring.h"
#include "statetext.h"
#include "text.h"
#include "utf8.h"

#define MAGIC    "tailnetd-state "
#define SUM_LEN  32
#define SUM_LINE (4 + 2 * SUM_LEN + 1) /* "sum " hex "\n" */

/* --- building --- */

struct out {
	char *p;
	size_t len;
	int full;
};

static void
put(struct out *o, const char *s, size_t n)
{
	if (n > STATE_TEXT_MAX - o->len) {
		o->full = 1;
		return;
	}
	memcpy(o->p + o->len, s, n);
	o->len += n;
}

static void put_line(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
put_line(struct out *o, const char *fmt, ...)
{
	char line[2200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line)) {
		o->full = 1;
		return;
	}
	put(o, line, (size_t)n);
	put(o, "\n", 1);
}

static void
put_key(struct out *o, const char *name, const struct keyring *k, enum key_slot s)
{
	if (!keyring_has(k, s))
		return;
	put(o, name, strlen(name));
	if (PRIVKEY_TEXT_LEN > STATE_TEXT_MAX - o->len || keyring_export(k, s, o->p + o->len) == -1) {
		o->full = 1;
		return;
	}
	o->len += PRIVKEY_TEXT_LEN;
	put(o, "\n", 1);
}

/* A text that a server chose: one line that set_text() accepts, because what is saved must load (ROT-05). */
static void
put_text(struct out *o, const char *name, const char *text, size_t size)
{
	char safe[sizeof(((struct profile *)0)->profile_pic)];

	text_sanitize(text, strnlen(text, size), safe, size);
	if (safe[0] != '\0')
		put_line(o, "%s %s", name, safe);
}

static const char *const pin_names[] = { "none", "config", "first-use", "accepted" };

static void
put_fields(struct out *o, const struct state *st)
{
	char key[KEY_TEXT_MAX], when[TIME_TEXT_MAX];

	if (!key_is_zero(&st->profile.server_key))
		put_line(o, "server-key %s %s %s", key_format(KEY_MACHINE, &st->profile.server_key, key),
		    pin_names[st->profile.pin_source], time_format(st->profile.pin_since, when));
	if (st->profile.user_id != 0)
		put_line(o, "user-id %lld", (long long)st->profile.user_id);
	put_text(o, "login-name", st->profile.login_name, sizeof(st->profile.login_name));
	put_text(o, "display-name", st->profile.display_name, sizeof(st->profile.display_name));
	put_text(o, "profile-pic", st->profile.profile_pic, sizeof(st->profile.profile_pic));
	put_line(o, "want-running %d", st->profile.want_running);
	put_line(o, "paused %d", st->profile.paused);
	if (st->profile.unproven)
		put_line(o, "node-key-unproven 1"); /* old-node-key is the last with a live map */
	if (st->listen_port != 0)
		put_line(o, "listen-port %u", st->listen_port);
	if (st->backend_log_id[0] != '\0')
		put_line(o, "backend-log-id %s", st->backend_log_id);
	if (!time_is_none(st->profile.node_key_expiry))
		put_line(o, "node-key-expiry %s", time_format(st->profile.node_key_expiry, when));
}

size_t
statetext_build(const struct state *st, const struct keyring *k, char text[STATE_TEXT_MAX])
{
	const struct state_extra *e;
	struct out o = { text, 0, 0 };
	uint8_t sum[SUM_LEN];
	char hex[2 * SUM_LEN + 1];

	put_line(&o, MAGIC "%d", STATE_MAJOR);
	put_line(&o, "control-url %s", st->control_url);
	put_key(&o, "machine-key ", k, SLOT_MACHINE);
	put_key(&o, "node-key ", k, SLOT_NODE);
	put_key(&o, "old-node-key ", k, SLOT_OLD);
	if (st->profile.candidate)
		put_key(&o, "candidate-node-key ", k, SLOT_CANDIDATE); /* D10, ROT-05 */
	put_fields(&o, st);
	for (e = st->extra; e != NULL; e = e->next) {
		put(&o, e->line, e->len);
		put(&o, "\n", 1);
	}
	crypto_generichash(sum, sizeof(sum), (const uint8_t *)text, o.len, NULL, 0);
	hex_encode(sum, sizeof(sum), hex);
	put_line(&o, "sum %s", hex);
	return o.full ? 0 : o.len;
}

/* --- parsing --- */

struct in {
	struct state *st;
	struct keyring *k;
	struct state_extra **tail;
	int no_memory;
};

/* Each key once: of two, neither can be trusted. */
static int
set_key(struct keyring *k, enum key_slot s, const char *v, size_t n)
{
	return keyring_has(k, s) ? -1 : keyring_import(k, s, v, n);
}

static int
set_text(char *dst, size_t size, const char *v, size_t n)
{
	if (n >= size || !utf8_valid(v, n) || memchr(v, '\0', n) != NULL)
		return -1;
	memcpy(dst, v, n);
	dst[n] = '\0';
	return 0;
}

static int
set_flag(int *dst, const char *v, size_t n)
{
	if (n != 1 || (*v != '0' && *v != '1'))
		return -1;
	*dst = *v - '0';
	return 0;
}

/* "mkey:<hex> SOURCE TIME" */
static int
set_server_key(struct state *st, const char *v, size_t n)
{
	const char *a = memchr(v, ' ', n), *b = a != NULL ? memchr(a + 1, ' ', n - (size_t)(a + 1 - v)) : NULL;
	int i;

	if (b == NULL || key_parse(KEY_MACHINE, v, (size_t)(a - v), &st->profile.server_key) == -1 ||
	    time_parse(b + 1, n - (size_t)(b + 1 - v), &st->profile.pin_since) == -1)
		return -1;
	for (i = PIN_CONFIG; i <= PIN_ACCEPTED; i++)
		if (strlen(pin_names[i]) == (size_t)(b - a - 1) &&
		    memcmp(pin_names[i], a + 1, (size_t)(b - a - 1)) == 0) {
			st->profile.pin_source = (enum pin_source)i;
			return 0;
		}
	return -1;
}

static int
set_number(int64_t min, int64_t max, const char *v, size_t n, int64_t *out)
{
	return text_to_i64(v, n, min, max, out);
}

static int
keep_unknown(struct in *in, const char *line, size_t n)
{
	struct state_extra *e = malloc(sizeof(*e) + n + 1);

	if (e == NULL) {
		in->no_memory = 1;
		return -1;
	}
	e->next = NULL;
	e->len = n;
	memcpy(e->line, line, n);
	e->line[n] = '\0';
	*in->tail = e;
	in->tail = &e->next;
	return 0;
}

static int
is(const char *line, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(line, name, len) == 0;
}

static int
parse_line(struct in *in, const char *line, size_t n)
{
	const char *v = memchr(line, ' ', n);
	size_t nn = v != NULL ? (size_t)(v - line) : n, vn = v != NULL ? n - nn - 1 : 0;
	struct state *st = in->st;
	int64_t i;

	if (v == NULL)
		return keep_unknown(in, line, n);
	v++;
	if (is(line, nn, "machine-key"))
		return set_key(in->k, SLOT_MACHINE, v, vn);
	if (is(line, nn, "node-key"))
		return set_key(in->k, SLOT_NODE, v, vn);
	if (is(line, nn, "old-node-key"))
		return set_key(in->k, SLOT_OLD, v, vn);
	if (is(line, nn, "candidate-node-key"))
		return (st->profile.candidate = set_key(in->k, SLOT_CANDIDATE, v, vn) == 0) ? 0 : -1;
	if (is(line, nn, "control-url"))
		return set_text(st->control_url, sizeof(st->control_url), v, vn);
	if (is(line, nn, "server-key"))
		return set_server_key(st, v, vn);
	if (is(line, nn, "user-id"))
		return set_number(INT64_MIN, INT64_MAX, v, vn, &st->profile.user_id);
	if (is(line, nn, "login-name"))
		return set_text(st->profile.login_name, sizeof(st->profile.login_name), v, vn);
	if (is(line, nn, "display-name"))
		return set_text(st->profile.display_name, sizeof(st->profile.display_name), v, vn);
	if (is(line, nn, "profile-pic"))
		return set_text(st->profile.profile_pic, sizeof(st->profile.profile_pic), v, vn);
	if (is(line, nn, "want-running"))
		return set_flag(&st->profile.want_running, v, vn);
	if (is(line, nn, "node-key-unproven"))
		return set_flag(&st->profile.unproven, v, vn);
	if (is(line, nn, "paused"))
		return set_flag(&st->profile.paused, v, vn);
	if (is(line, nn, "backend-log-id"))
		return set_text(st->backend_log_id, sizeof(st->backend_log_id), v, vn);
	if (is(line, nn, "node-key-expiry"))
		return time_parse(v, vn, &st->profile.node_key_expiry);
	if (is(line, nn, "listen-port")) {
		if (set_number(1, 65535, v, vn, &i) == -1)
			return -1;
		st->listen_port = (uint16_t)i;
		return 0;
	}
	return keep_unknown(in, line, n);
}

/* The first line names the major version.  Its length with the newline, or 0. */
static size_t
parse_magic(const char *text, size_t n, int64_t *major)
{
	const char *nl = memchr(text, '\n', n);
	size_t m = sizeof(MAGIC) - 1;

	if (nl == NULL || (size_t)(nl - text) <= m || memcmp(text, MAGIC, m) != 0 ||
	    text_to_i64(text + m, (size_t)(nl - text) - m, 1, INT32_MAX, major) == -1)
		return 0;
	return (size_t)(nl - text) + 1;
}

static int
sum_ok(const char *text, size_t n)
{
	uint8_t sum[SUM_LEN], want[SUM_LEN];

	if (n < SUM_LINE || text[n - 1] != '\n' || memcmp(text + n - SUM_LINE, "sum ", 4) != 0 ||
	    hex_decode(text + n - SUM_LINE + 4, 2 * SUM_LEN, want) == -1)
		return 0;
	crypto_generichash(sum, sizeof(sum), (const uint8_t *)text, n - SUM_LINE, NULL, 0);
	return memcmp(sum, want, sizeof(sum)) == 0;
}

static void
forget(struct state *st, struct keyring *k)
{
	state_free(st);
	memset(st, 0, sizeof(*st));
	keyring_clear(k, SLOT_MACHINE);
	keyring_clear(k, SLOT_NODE);
	keyring_clear(k, SLOT_OLD);
	keyring_clear(k, SLOT_CANDIDATE);
}

enum statetext_result
statetext_parse(const char *text, size_t n, struct state *st, struct keyring *k, char *err, size_t errsize)
{
	struct in in = { st, k, &st->extra, 0 };
	int64_t major;
	size_t at, line = 2;

	forget(st, k);
	st->profile.node_key_expiry = st->profile.pin_since = TIME_NONE;
	if ((at = parse_magic(text, n, &major)) == 0) {
		snprintf(err, errsize, n == 0 ? "is empty" : "is not a tailnetd state file");
		return STATETEXT_CORRUPT;
	}
	if (major > STATE_MAJOR) {
		snprintf(err, errsize, "was written by a newer tailnetd (format %lld)", (long long)major);
		return STATETEXT_NEWER;
	}
	if (!sum_ok(text, n)) {
		snprintf(err, errsize, "is damaged (checksum)");
		return STATETEXT_CORRUPT;
	}
	for (n -= SUM_LINE; at < n; line++) {
		const char *nl = memchr(text + at, '\n', n - at);
		size_t len = nl != NULL ? (size_t)(nl - text) - at : n - at;

		if (parse_line(&in, text + at, len) == -1) {
			forget(st, k);
			if (in.no_memory) { /* the file is good: an older one may not replace it */
				snprintf(err, errsize, "cannot be read: out of memory");
				return STATETEXT_NO_MEMORY;
			}
			snprintf(err, errsize, "line %zu is malformed", line); /* never its text: it may be a key */
			return STATETEXT_CORRUPT;
		}
		at += len + 1;
	}
	if (!keyring_has(k, SLOT_MACHINE) || st->control_url[0] == '\0') {
		snprintf(err, errsize, "lacks the machine key or the control URL");
		forget(st, k);
		return STATETEXT_CORRUPT;
	}
	return STATETEXT_OK;
}
