/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd_simple.h"
#include "ctl.h"
#include "out.h"
#include "scan.h"
#include "sock.h"
#include "texts.h"

/* The commands whose answer is text. */
#define LINE_KEPT 16384
#define TAIL_KEPT 1024

/* Lines with control characters escaped; a line of more than LINE_KEPT bytes is handled in pieces. */
static void
put_line(FILE *f, const char *s, size_t n)
{
	const char *tab;

	while (n > 0 && (tab = memchr(s, '\t', n)) != NULL) {
		out_safe(f, s, (size_t)(tab - s));
		fputc('\t', f);
		n -= (size_t)(tab - s) + 1;
		s = tab + 1;
	}
	out_safe(f, s, n);
}

/* Everything that is left of s, made safe, to f; the last line of it into tail.  -1: it ends within a line. */
static int
copy_text(struct source *s, FILE *f, char tail[TAIL_KEPT + 1])
{
	int cut;
	struct buf line;
	size_t n, len;
	const char *nl;

	buf_init(&line, LINE_KEPT);
	while (source_fill(s) == 1) {
		nl = memchr(s->buf + s->off, '\n', s->len - s->off);
		n = nl != NULL ? (size_t)(nl - (s->buf + s->off)) : s->len - s->off;
		if (n > LINE_KEPT - buf_len(&line)) {
			n = LINE_KEPT - buf_len(&line);
			nl = NULL;
		}
		buf_put(&line, s->buf + s->off, n);
		s->off += n + (nl != NULL);
		if (nl == NULL && buf_len(&line) < LINE_KEPT)
			continue;
		put_line(f, (char *)buf_ptr(&line), buf_len(&line));
		if (nl != NULL)
			fputc('\n', f);
		len = buf_len(&line) < TAIL_KEPT ? buf_len(&line) : TAIL_KEPT;
		snprintf(tail, TAIL_KEPT + 1, "%.*s", (int)len, len > 0 ? (char *)buf_ptr(&line) : "");
		buf_reset(&line);
	}
	if ((cut = buf_len(&line) > 0))
		put_line(f, (char *)buf_ptr(&line), buf_len(&line));
	if (line.mem != NULL)
		explicit_bzero(line.mem, line.cap); /* `wgconf private` */
	buf_free(&line);
	return cut ? -1 : 0;
}

/*
 * No text that we print begins with a brace: an object is an error.  One may follow where the text could not be
 * finished.
 */
static int
text_answer(struct ctl *c, struct source *s, FILE *f, char tail[TAIL_KEPT + 1])
{
	struct json_object *o = NULL;
	int rc, cut;

	tail[0] = '\0';
	if (source_peek(s) == '{') {
		if ((rc = ctl_answer(c, s, &o)) == CTL_OK)
			rc = ctl_fail(c, CTL_ERROR, "tailnetd's answer is not the text asked for");
		json_object_put(o);
		return rc;
	}
	cut = copy_text(s, f, tail);
	if (s->err != 0)
		return ctl_lost(c, s);
	return cut ? ctl_cut_off(c) : ctl_error_line(c, tail, strlen(tail));
}

int
text_print(struct ctl *c, struct source *s)
{
	char tail[TAIL_KEPT + 1];

	return text_answer(c, s, c->out, tail);
}

static int
text_command(struct ctl *c, int argc, char **argv, int empty_ok)
{
	char text[CMD_WORDS_TEXT], *full[CMD_WORDS_MAX];
	struct source s;
	int rc;

	if ((rc = cmd_words(c, argc, argv, text, full)) != CTL_OK ||
	    (rc = ctl_ask_words(c, &s, c->cmd->name, argc, full)) != CTL_OK)
		return rc;
	if (source_fill(&s) == 0)
		rc = empty_ok ? CTL_OK : ctl_lost(c, &s);
	else if (c->json || c->quiet)
		rc = ctl_relay(c, &s);
	else
		rc = text_print(c, &s);
	source_close(&s);
	return rc;
}

int
cmd_text(struct ctl *c, int argc, char **argv)
{
	return text_command(c, argc, argv, 0);
}

int
cmd_text_or_none(struct ctl *c, int argc, char **argv)
{
	return text_command(c, argc, argv, 1);
}

/* The old file stays until the whole of the new one is on the disk. */
static int
metrics_to(struct ctl *c, struct source *s, const char *path)
{
	char temp[4096], tail[TAIL_KEPT + 1];
	FILE *f;
	int fd, rc;

	if ((size_t)snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= sizeof(temp))
		return ctl_fail(c, CTL_USAGE, "file name too long");
	if ((fd = mkstemp(temp)) == -1)
		return ctl_fail(c, CTL_ERROR, "%s: %s", temp, strerror(errno));
	if ((f = fdopen(fd, "w")) == NULL) {
		close(fd);
		unlink(temp);
		return ctl_fail(c, CTL_ERROR, "%s", strerror(errno));
	}
	rc = text_answer(c, s, f, tail);
	if (rc == CTL_OK && strcmp(tail, "# EOF") != 0)
		rc = ctl_fail(c, CTL_ERROR, "the metrics are incomplete; %s was not changed", path);
	if (rc == CTL_OK && (fchmod(fd, 0644) == -1 || fflush(f) != 0 || fsync(fd) == -1))
		rc = ctl_fail(c, CTL_ERROR, "%s: %s", temp, strerror(errno));
	if (fclose(f) != 0 && rc == CTL_OK)
		rc = ctl_fail(c, CTL_ERROR, "%s: %s", temp, strerror(errno));
	if (rc == CTL_OK && rename(temp, path) == -1)
		rc = ctl_fail(c, CTL_ERROR, "%s: %s", path, strerror(errno));
	if (rc != CTL_OK)
		unlink(temp);
	return rc;
}

int
cmd_metrics(struct ctl *c, int argc, char **argv)
{
	struct source s;
	int rc;

	if (argc == 0)
		return cmd_text(c, 0, NULL);
	if (argc != 2 || strcmp(argv[0], "-o") != 0)
		return ctl_usage(c);
	if ((rc = ctl_ask_words(c, &s, "metrics", 0, NULL)) != CTL_OK)
		return rc;
	rc = metrics_to(c, &s, argv[1]);
	source_close(&s);
	return rc;
}
