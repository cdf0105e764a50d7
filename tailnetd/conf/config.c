/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "buf.h"
#include "config.h"
#include "configkw.h"
#include "ipc.h"
#include "text.h"

#define CONFIG_FILE_MAX   (256 * 1024)
#define CONFIG_LINE_WORDS 80

struct reader {
	const char *name; /* of the file, for messages */
	unsigned line;
	char *err;
	size_t errsize;
	unsigned seen[CONFIG_KEYWORDS_MAX]; /* where each keyword of the table was; 0 = nowhere */
};

static int complain(const struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
complain(const struct reader *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	n = snprintf(r->err, r->errsize, "%s:%u: ", r->name, r->line);
	if (n >= 0 && (size_t)n < r->errsize) {
		va_start(ap, fmt);
		vsnprintf(r->err + n, r->errsize - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return -1;
}

/* Splits a line in place: words, "quoted words" (with \" and \\), # comments.  Number of words, or -1 with a reason. */
static int
split_words(char *s, char **words, int max, const char **why)
{
	int n = 0;

	for (;;) {
		char *to;
		int quoted;

		while (*s == ' ' || *s == '\t')
			s++;
		if (*s == '\0' || *s == '#')
			return n;
		if (n == max) {
			*why = "too many values";
			return -1;
		}
		quoted = *s == '"';
		s += quoted;
		words[n++] = to = s;
		while (quoted ? *s != '"' : *s != '\0' && *s != ' ' && *s != '\t') {
			if (*s == '\0') {
				*why = "quote is not closed";
				return -1;
			}
			if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
				s++;
			*to++ = *s++;
		}
		if (*s != '\0')
			s++;
		*to = '\0';
	}
}

/* Some values are sent to the children, and one that their end of the channel refuses (ipc.h) would end every child. */
static int
words_ok(char **words, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (!ipc_text_ok(words[i], (uint16_t)strlen(words[i]), UINT16_MAX))
			return 0;
	return 1;
}

static int
parse_line(struct reader *r, char *line, struct config *c)
{
	char *words[CONFIG_LINE_WORDS];
	struct words w = { .v = words + 1 };
	const char *what = NULL;
	const struct keyword *kw;
	int i, n;

	if ((n = split_words(line, words, CONFIG_LINE_WORDS, &what)) == -1)
		return complain(r, "%s", what);
	if (!words_ok(words, n))
		return complain(r, "control character, or not UTF-8");
	if (n == 0)
		return 0;
	for (i = 0, kw = config_keywords; kw->name != NULL && strcmp(kw->name, words[0]) != 0; kw++)
		i++;
	if (kw->name == NULL) {
		char safe[64];

		text_sanitize(words[0], strlen(words[0]), safe, sizeof(safe));
		return complain(r, "unknown keyword \"%s\"", safe);
	}
	if (r->seen[i] != 0)
		return complain(r, "%s is given twice, first in line %u", kw->name, r->seen[i]);
	r->seen[i] = r->line;
	if (n < 2)
		return complain(r, "%s needs a value: %s", kw->name, kw->value);
	if (n > 2 && (kw->flags & KEYWORD_LIST) == 0)
		return complain(r, "%s takes one value; quote a value that has spaces", kw->name);
	w.n = n - 1;
	if (kw->parse(c, kw, &w) == -1)
		return complain(r, "%s: %s", kw->name, w.why[0] != '\0' ? w.why : kw->value);
	return 0;
}

/* A complaint about the whole is one about the line of that keyword, or the last one if it is not there: 0. */
static int
go_to(struct reader *r, const char *name)
{
	unsigned i;

	if (r->line == 0)
		r->line = 1;
	for (i = 0; config_keywords[i].name != NULL; i++)
		if (strcmp(config_keywords[i].name, name) == 0 && r->seen[i] != 0) {
			r->line = r->seen[i];
			return 1;
		}
	return 0;
}

static int
parse(struct reader *r, const char *text, size_t n, struct config *out)
{
	struct config c;
	const char *end = text + n, *about;
	char line[2048], why[300] = "";
	int rv = -1;

	config_defaults(&c);
	/* The mark that some editors put in front of UTF-8 is invisible, and so would be the error. */
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t len = (size_t)((nl != NULL ? nl : end) - text);

		r->line++;
		if (len >= sizeof(line)) {
			complain(r, "line is too long");
			goto out;
		}
		if (memchr(text, '\0', len) != NULL) {
			complain(r, "NUL byte in the line");
			goto out;
		}
		memcpy(line, text, len);
		line[len] = '\0';
		if (len > 0 && line[len - 1] == '\r')
			line[len - 1] = '\0';
		if (parse_line(r, line, &c) == -1)
			goto out;
		text += len + (nl != NULL);
	}
	if (config_finish(&c, &about, why, sizeof(why)) == -1) {
		(void)go_to(r, about);
		complain(r, "%s", why);
		goto out;
	}
	*out = c;
	rv = 0;
out:
	sodium_memzero(line, sizeof(line)); /* it may have held a proxy's password */
	sodium_memzero(&c, sizeof(c));
	return rv;
}

int
config_parse(const char *name, const char *text, size_t n, struct config *out, char *err, size_t errsize)
{
	struct reader r = { .name = name, .err = err, .errsize = errsize };

	return parse(&r, text, n, out);
}

/* A user or group named in the file must exist.  Defaults are checked at start. */
static int
check_names(struct reader *r, const struct config *c)
{
	int ours = strcmp(c->control_group, "_tailnetd") == 0;
	gid_t gid;

	if (go_to(r, "control-group") && config_find_group(c, &gid) == -1)
		return complain(r, "control-group: there is no group %s%s", c->control_group,
		    ours ? CONFIG_NO_ACCOUNTS : "");
	if (go_to(r, "control-operator") && getpwnam(c->control_operator) == NULL)
		return complain(r, "control-operator: there is no user %s", c->control_operator);
	return 0;
}

int
config_load(const char *path, int names, struct config *c, char *err, size_t errsize)
{
	static char text[CONFIG_FILE_MAX + 1]; /* wiped below; too large for the stack */
	struct reader r = { .name = path, .err = err, .errsize = errsize };
	struct config next;
	struct stat st;
	size_t len = 0;
	ssize_t n;
	int fd, rv;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1) {
		snprintf(err, errsize, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		snprintf(err, errsize, "%s: not a regular file", path);
		close(fd);
		return -1;
	}
	while ((n = read(fd, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	if (n == -1 || len > CONFIG_FILE_MAX) {
		snprintf(err, errsize, "%s: %s", path, n == -1 ? strerror(errno) : "larger than 256 KiB");
		rv = -1;
	} else if ((rv = parse(&r, text, len, &next)) == 0) {
		if (!names || (rv = check_names(&r, &next)) == 0)
			*c = next;
		sodium_memzero(&next, sizeof(next));
	}
	close(fd);
	sodium_memzero(text, sizeof(text));
	return rv;
}

int
config_print(const struct config *c, struct buf *out)
{
	const struct keyword *kw;

	for (kw = config_keywords; kw->name != NULL; kw++)
		kw->print(c, kw, out);
	return out->failed ? -1 : 0;
}

int
config_find_group(const struct config *c, gid_t *gid)
{
	const struct group *gr = getgrnam(c->control_group);
	int64_t n;

	if (gr != NULL)
		*gid = gr->gr_gid;
	else if (text_to_i64(c->control_group, strlen(c->control_group), 0, UINT32_MAX - 1, &n) == 0)
		*gid = (gid_t)n;
	else
		return -1;
	return 0;
}

/* Whether both print the same line.  Without memory for them they count as different. */
static int
same_value(const struct keyword *kw, const struct config *a, const struct config *b)
{
	struct buf ta, tb;
	int same;

	buf_init(&ta, 1 << 16);
	buf_init(&tb, 1 << 16);
	kw->print(a, kw, &ta);
	kw->print(b, kw, &tb);
	same = !ta.failed && !tb.failed && buf_len(&ta) == buf_len(&tb) &&
	    (buf_len(&ta) == 0 || memcmp(buf_ptr(&ta), buf_ptr(&tb), buf_len(&ta)) == 0);
	buf_free(&ta);
	buf_free(&tb);
	return same;
}

const char *
config_reload_blocker(const struct config *from, const struct config *to)
{
	const struct keyword *kw;

	for (kw = config_keywords; kw->name != NULL; kw++)
		if ((kw->flags & KEYWORD_RESTART) != 0 && !same_value(kw, from, to))
			return kw->name;
	return NULL;
}

int
config_read_authkey(const struct config *c, char *out, size_t outsize, size_t *len, char *err, size_t errsize)
{
	struct stat st;
	ssize_t n;
	size_t from = 0, i;
	int fd;

	if ((fd = open(c->auth_key_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) == -1) {
		snprintf(err, errsize, "auth-key-file %s: %s", c->auth_key_file,
		    errno == ELOOP ? "is a symbolic link; name the file itself" : strerror(errno));
		return -1;
	}
	*err = '\0';
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		snprintf(err, errsize, "auth-key-file %s: not a regular file", c->auth_key_file);
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		snprintf(err, errsize, "auth-key-file %s: is owned by uid %u; chown it to root", c->auth_key_file,
		    st.st_uid);
	else if ((st.st_mode & 077) != 0)
		snprintf(err, errsize, "auth-key-file %s: other users have access (mode %04o); chmod 600 it",
		    c->auth_key_file, st.st_mode & 07777);
	else if ((n = read(fd, out, outsize)) == -1)
		snprintf(err, errsize, "auth-key-file %s: %s", c->auth_key_file, strerror(errno));
	else if ((size_t)n == outsize)
		snprintf(err, errsize, "auth-key-file %s: too large for a key", c->auth_key_file);
	else
		*len = (size_t)n;
	close(fd);
	if (*err != '\0') {
		sodium_memzero(out, outsize);
		return -1;
	}
	while (*len > 0 && isspace((unsigned char)out[*len - 1])) /* REG-12: trimmed */
		(*len)--;
	while (from < *len && isspace((unsigned char)out[from]))
		from++;
	memmove(out, out + from, *len -= from);
	for (i = 0; i < *len; i++)
		if ((unsigned char)out[i] <= ' ' || (unsigned char)out[i] >= 0x7f)
			break;
	if (*len == 0 || i < *len) {
		sodium_memzero(out, outsize);
		snprintf(err, errsize, "auth-key-file %s: %s", c->auth_key_file,
		    *len == 0 ? "is empty" : "does not hold one key on one line");
		return -1;
	}
	return 0;
}
