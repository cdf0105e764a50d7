/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "json.h"
#include "jsonparse.h"
#include "jsonwrite.h"
#include "register.h"
#include "text.h"
#include "timefmt.h"
#include "url.h"
#include "utf8.h"

#define LOGOUT_EXPIRY_SEC     123 /* protocol.md D.6 */
#define RETRY_AFTER_MAX_SEC   3600
#define RETRY_AFTER_MIN_MS    5000
#define RETRY_AFTER_SPREAD_MS 5001

static void
put_members(struct jw *w, const struct register_request *r)
{
	char key[KEY_TEXT_MAX], when[TIME_TEXT_MAX];
	const struct pubkey zero = { { 0 } };

	jw_ki64(w, "Version", r->capver);
	jw_kstr(w, "NodeKey", key_format(KEY_NODE, &r->node_key, key));
	jw_kstr(w, "OldNodeKey", key_format(KEY_NODE, &r->old_node_key, key));
	jw_kstr(w, "NLKey", key_format(KEY_NL, &zero, key));
	if (r->auth_key_len > 0) {
		jw_key(w, "Auth");
		jw_obj(w);
		jw_key(w, "AuthKey");
		jw_strn(w, r->auth_key, r->auth_key_len);
		jw_obj_end(w);
	}
	/* REG-02: anything else in the past is a logout. */
	jw_kstr(w, "Expiry", r->logout ? time_format((struct wtime){ LOGOUT_EXPIRY_SEC, 0 }, when) : GO_ZERO_TIME_TEXT);
	jw_key(w, "Followup");
	jw_strn(w, r->followup, r->followup_len);
	jw_key(w, "Hostinfo");
	jw_raw(w, r->hostinfo, r->hostinfo_len);
	if (r->ephemeral && !r->logout && r->followup_len == 0)
		jw_kbool(w, "Ephemeral", 1);
	jw_key(w, "NodeKeySignature");
	jw_null(w);
}

int
register_build(struct buf *out, const struct register_request *r)
{
	struct jw w;

	/* In one piece: growing would leave a copy of the auth key.  A byte quoted as \u0000 is the longest form. */
	if (buf_reserve(out, r->hostinfo_len + 6 * (r->auth_key_len + r->followup_len) + 1024) == NULL)
		return -1;
	jw_init(&w, out);
	jw_obj(&w);
	put_members(&w, r);
	jw_obj_end(&w);
	if (out->failed) {
		errno = ENOBUFS;
		return -1;
	}
	return 0;
}

void
register_wipe(struct buf *out)
{
	if (out->mem != NULL)
		explicit_bzero(out->mem, out->cap);
	buf_free(out);
}

/* The three date forms of RFC 9110 5.6.7. */
static int
http_date(const char *s, int64_t *sec)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y" };
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(s, forms[i], &tm);

		if (end != NULL && *end == '\0') {
			*sec = (int64_t)timegm(&tm);
			return 0;
		}
	}
	return -1;
}

uint32_t
retry_after_ms(const char *value, int64_t now)
{
	int64_t sec = 0, date;

	if (value != NULL && text_to_i64(value, strlen(value), INT64_MIN, INT64_MAX, &sec) == -1) {
		sec = 0;
		if (http_date(value, &date) == 0 && date > now && date - now <= RETRY_AFTER_MAX_SEC)
			sec = date - now;
	}
	if (sec <= 0 || sec > RETRY_AFTER_MAX_SEC)
		return RETRY_AFTER_MIN_MS + arc4random_uniform(RETRY_AFTER_SPREAD_MS);
	return (uint32_t)sec * 1000;
}

static int
is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
trim(const uint8_t **p, size_t *n)
{
	while (*n > 0 && is_space(**p)) {
		(*p)++;
		(*n)--;
	}
	while (*n > 0 && is_space((*p)[*n - 1]))
		(*n)--;
}

char *
wire_error_text(const uint8_t *body, size_t n, char *out, size_t outsize)
{
	trim(&body, &n);
	if (n > REGISTER_MAX_ERRTEXT)
		n = REGISTER_MAX_ERRTEXT;
	/* A character that was cut is dropped, not shown as bad bytes. */
	if (n == REGISTER_MAX_ERRTEXT && n - utf8_prefix((const char *)body, n) < 4)
		n = utf8_prefix((const char *)body, n);
	trim(&body, &n);
	text_sanitize((const char *)body, n, out, outsize);
	return out;
}

static void
bad(struct register_answer *a, const char *why)
{
	a->outcome = REGISTER_BAD;
	snprintf(a->err, sizeof(a->err), "register: %s", why);
}

/* A text member into out, made safe.  0, or -1 when it has another type. */
static int
get_text(struct json_object *o, const char *name, char *out, size_t outsize)
{
	const char *s;
	size_t n;
	int r;

	if (o == NULL || (r = json_get_str(o, name, &s, &n)) == 0)
		return 0;
	if (r == -1)
		return -1;
	text_sanitize(s, n, out, outsize);
	return 0;
}

static int
get_id(struct json_object *o, const char *name, int64_t *out)
{
	return o != NULL && json_get_i64(o, name, out) == -1 ? -1 : 0;
}

/* REG-10: the names come from Login, the ID from User (protocol.md D.2). */
static int
get_profile(struct json_object *o, struct register_answer *a)
{
	struct json_object *user = NULL, *login = NULL;

	if (json_get_obj(o, "User", &user) == -1 || json_get_obj(o, "Login", &login) == -1 ||
	    get_id(user, "ID", &a->user_id) == -1 || get_id(login, "ID", &a->login_id) == -1 ||
	    get_text(login, "LoginName", a->login_name, sizeof(a->login_name)) == -1 ||
	    get_text(login, "DisplayName", a->display_name, sizeof(a->display_name)) == -1 ||
	    get_text(login, "ProfilePicURL", a->profile_pic, sizeof(a->profile_pic)) == -1)
		return -1;
	return json_get_bool(o, "MachineAuthorized", &a->machine_authorized) == -1 ? -1 : 0;
}

static void
judge_url(struct register_answer *a, const char *url, size_t n, int https)
{
	if (!url_is_showable(url, n, https)) {
		bad(a,
		    https ? "the server's login URL is not an https URL: refused"
			  : "the server's login URL is not a URL: refused");
		return;
	}
	a->outcome = REGISTER_URL;
	memcpy(a->url, url, n);
	a->url[n] = '\0';
}

/* Rows 4 to 8 of D.3. */
static void
judge_object(struct register_answer *a, struct json_object *o, int https)
{
	const char *s = NULL, *sig = NULL;
	size_t n = 0, nsig = 0;
	int expired = 0;

	if (json_get_str(o, "Error", &s, &n) == 1 && n > 0) {
		a->outcome = REGISTER_REFUSED;
		text_sanitize(s, n, a->err, sizeof(a->err));
		return;
	}
	if (json_get_str(o, "Error", &s, &n) == -1 || json_get_str(o, "NodeKeySignature", &sig, &nsig) == -1 ||
	    json_get_bool(o, "NodeKeyExpired", &expired) == -1 || get_profile(o, a) == -1) {
		bad(a, "a field of the answer has the wrong type");
		return;
	}
	if (nsig > 0) {
		bad(a, "tailnet lock needed: not supported");
		return;
	}
	if (expired) {
		a->outcome = REGISTER_KEY_EXPIRED;
		return;
	}
	n = 0;
	if (json_get_str(o, "AuthURL", &s, &n) == -1)
		bad(a, "a field of the answer has the wrong type");
	else if (n > 0)
		judge_url(a, s, n, https);
	else
		a->outcome = REGISTER_OK;
}

static void
judge_body(struct register_answer *a, const uint8_t *body, size_t n, int https)
{
	char why[160], text[200];
	struct json_object *o;

	if (n > REGISTER_MAX_ANSWER) {
		bad(a, "the answer is larger than 1 MiB");
		return;
	}
	trim(&body, &n);
	if (n == 4 && memcmp(body, "null", 4) == 0) { /* REG-07 */
		a->outcome = REGISTER_OK;
		return;
	}
	o = json_parse((const char *)body, n, &json_limits_default, why, sizeof(why));
	if (o == NULL) {
		snprintf(text, sizeof(text), "bad JSON in the answer: %s", why);
		bad(a, text);
	} else if (!json_object_is_type(o, json_type_object)) {
		bad(a, "the answer is not a JSON object");
	} else {
		judge_object(a, o, https);
	}
	json_object_put(o);
}

void
register_judge(struct register_answer *a, int status, const char *retry_after, int64_t now, const uint8_t *body,
    size_t n, int https)
{
	char text[REGISTER_MAX_ERRTEXT + 100];

	memset(a, 0, sizeof(*a));
	a->status = status;
	if (status == 200) {
		judge_body(a, body, n, https);
		return;
	}
	wire_error_text(body, n, text, sizeof(text));
	a->outcome = status == 429 ? REGISTER_LIMITED : REGISTER_HTTP;
	if (status == 429)
		a->retry_after_ms = retry_after_ms(retry_after, now);
	snprintf(a->err, sizeof(a->err), "register: HTTP %d%s%s", status, text[0] != '\0' ? ": " : "", text);
}
