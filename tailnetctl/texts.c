/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <string.h>

#include "cmd_simple.h"
#include "ctl.h"
#include "out.h"
#include "outfile.h"
#include "scan.h"
#include "sock.h"
#include "texts.h"

/* The commands whose answer is text. */
#define LINE_KEPT 16384
#define TAIL_KEPT 1024

struct text {
	FILE *f; /* NULL: nowhere */
	struct endmark mark;
	char tail[TAIL_KEPT + 1]; /* the beginning of the last whole line */
	int any, cut;             /* something came; it ends within a line */
	int refused;              /* by the daemon, with an error object */
};

/* Lines with control characters escaped; a line of more than LINE_KEPT bytes is handled in pieces. */
static void
put_line(struct text *t, const char *s, size_t n, int whole)
{
	const char *tab;

	if (whole)
		endmark_line(&t->mark, s, n);
	snprintf(t->tail, sizeof(t->tail), "%.*s", (int)(n < TAIL_KEPT ? n : TAIL_KEPT), n > 0 ? s : "");
	if (t->f == NULL)
		return;
	while (n > 0 && (tab = memchr(s, '\t', n)) != NULL) {
		out_safe(t->f, s, (size_t)(tab - s));
		fputc('\t', t->f);
		n -= (size_t)(tab - s) + 1;
		s = tab + 1;
	}
	out_safe(t->f, s, n);
	if (whole)
		fputc('\n', t->f);
}

/* Everything that is left of s, made safe. */
static void
copy_text(struct text *t, struct source *s)
{
	struct buf line;
	size_t n;
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
		put_line(t, (char *)buf_ptr(&line), buf_len(&line), nl != NULL);
		t->any = 1;
		buf_reset(&line);
	}
	if ((t->cut = buf_len(&line) > 0))
		put_line(t, (char *)buf_ptr(&line), buf_len(&line), 0);
	if (line.mem != NULL)
		explicit_bzero(line.mem, line.cap); /* `wgconf private` */
	buf_free(&line);
}

/*
 * A program that reads the output, like wg(8), refuses the whole for this line (interface.md 3).  It would read no line
 * at all as a configuration without peers.
 */
static void
put_abort(const struct text *t)
{
	if (t->f == NULL || (!t->any && !t->cut && t->mark.kind != END_WGCONF))
		return;
	fprintf(t->f, "%s{\"error\":{\"code\":\"internal\",\"message\":\"incomplete\"}}\n", t->cut ? "\n" : "");
}

static int
text_end(const struct ctl *c, struct source *s, struct text *t)
{
	int rc;

	if (s->err != 0 || (!t->any && !t->cut)) {
		rc = ctl_lost(c, s);
	} else if (t->cut) {
		rc = ctl_cut_off(c);
	} else if ((rc = ctl_error_line(c, t->tail, strlen(t->tail))) != CTL_OK) {
		t->refused = 1;
		return rc;
	} else
		rc = endmark_check(&t->mark, c);
	if (rc != CTL_OK)
		put_abort(t);
	return rc;
}

/*
 * No text that we print begins with a brace: an object is an error.  One may follow where the text could not be
 * finished.
 */
static int
text_answer(struct ctl *c, struct source *s, struct text *t)
{
	struct json_object *o = NULL;
	int rc;

	if (source_peek(s) == '{') {
		t->refused = 1;
		if ((rc = ctl_answer(c, s, &o)) == CTL_OK)
			rc = ctl_fail(c, CTL_ERROR, "tailnetd's answer is not the text asked for");
		json_object_put(o);
		put_abort(t);
		return rc;
	}
	copy_text(t, s);
	return text_end(c, s, t);
}

int
text_print(struct ctl *c, struct source *s, enum end_kind kind)
{
	struct text t = { .f = c->out, .mark = { .kind = kind } };

	return text_answer(c, s, &t);
}

static int
text_check(struct ctl *c, struct source *s, enum end_kind kind)
{
	struct text t = { .mark = { .kind = kind } };

	return text_answer(c, s, &t);
}

/* Removes `-o FILE` from the arguments; -1: the name is missing. */
static int
split_output(int *argc, char **argv, const char **path)
{
	int i, n = 0;

	*path = NULL;
	for (i = 0; i < *argc; i++) {
		if (strcmp(argv[i], "-o") != 0) {
			argv[n++] = argv[i];
			continue;
		}
		if (i + 1 == *argc || *path != NULL)
			return -1;
		*path = argv[++i];
	}
	*argc = n;
	return 0;
}

/* What a collector reads of a daemon that does not answer: no value of the time when it did. */
static int
write_gone(struct ctl *c, const char *path, int rc)
{
	struct outfile o;

	if (outfile_open(c, &o, path, 0644) != CTL_OK)
		return rc;
	fputs("# HELP tailnetd_up 1 when tailnetd answers\n# TYPE tailnetd_up gauge\ntailnetd_up 0\n# EOF\n", o.f);
	(void)outfile_close(c, &o, CTL_OK);
	return rc;
}

static int
text_to(struct ctl *c, struct source *s, enum end_kind kind, const char *path)
{
	/* The configuration may hold the private key, and the files of the others are for everybody. */
	mode_t mode = kind == END_WGCONF ? 0600 : 0644;
	struct text t = { .mark = { .kind = kind } };
	struct outfile o;
	int rc;

	if ((rc = outfile_open(c, &o, path, mode)) != CTL_OK)
		return rc;
	t.f = o.f;
	rc = text_answer(c, s, &t);
	if (rc != CTL_OK) {
		(void)outfile_close(c, &o, rc);
		if (kind == END_METRICS && !t.refused)
			return write_gone(c, path, rc);
		ctl_note(c, "%s was not changed", path);
		return rc;
	}
	return outfile_close(c, &o, rc);
}

/* Nothing was asked for, or there is no daemon. */
static int
text_unasked(struct ctl *c, enum end_kind kind, const char *path, int rc)
{
	struct text t = { .f = c->quiet || path != NULL ? NULL : c->out, .mark = { .kind = kind } };

	if (path != NULL && kind == END_METRICS && (rc == CTL_DOWN || rc == CTL_TIMEOUT))
		return write_gone(c, path, rc);
	put_abort(&t);
	return rc;
}

static int
text_command(struct ctl *c, int argc, char **argv, enum end_kind kind)
{
	char text[CMD_WORDS_TEXT], *full[CMD_WORDS_MAX];
	const char *path;
	struct source s;
	int rc;

	if (split_output(&argc, argv, &path) == -1)
		return text_unasked(c, kind, path, ctl_usage(c));
	if ((rc = cmd_words(c, argc, argv, text, full)) != CTL_OK ||
	    (rc = ctl_ask_words(c, &s, c->cmd->name, argc, full)) != CTL_OK)
		return text_unasked(c, kind, path, rc);
	if (path != NULL)
		rc = text_to(c, &s, kind, path);
	else
		rc = c->quiet ? text_check(c, &s, kind) : text_print(c, &s, kind);
	source_close(&s);
	return rc;
}

int
cmd_wgconf(struct ctl *c, int argc, char **argv)
{
	return text_command(c, argc, argv, END_WGCONF);
}

int
cmd_hosts(struct ctl *c, int argc, char **argv)
{
	return text_command(c, argc, argv, END_HOSTS);
}

int
cmd_metrics(struct ctl *c, int argc, char **argv)
{
	return text_command(c, argc, argv, END_METRICS);
}
