/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd_simple.h"
#include "ctl.h"
#include "jget.h"
#include "out.h"
#include "scan.h"
#include "sock.h"
#include "table.h"
#include "when.h"
#include "words.h"

/* The small commands. */

/* The words of a command's list, without values and explanations, into text; how many. */
static size_t
list_of(const char *list, char *text, size_t size, const char *words[CMD_WORDS_MAX])
{
	char *w, *save = NULL;
	size_t n = 0;

	strlcpy(text, list, size);
	for (w = strtok_r(text, ",", &save); w != NULL && n < CMD_WORDS_MAX; w = strtok_r(NULL, ",", &save)) {
		w[strcspn(w, ">:")] = '\0';
		words[n++] = w;
	}
	return n;
}

int
cmd_words(struct ctl *c, int argc, char **argv, char text[CMD_WORDS_TEXT], char *full[CMD_WORDS_MAX])
{
	const char *words[CMD_WORDS_MAX];
	char err[200] = "";
	size_t n = list_of(c->cmd->words, text, CMD_WORDS_TEXT, words);
	int i, w;

	if (argc < c->cmd->min || argc > c->cmd->max || argc > CMD_WORDS_MAX)
		return ctl_usage(c);
	for (i = 0; i < argc; i++) {
		if ((w = word_match(argv[i], words, n, sizeof(words[0]), "argument", err, sizeof(err))) < 0)
			return ctl_fail(c, CTL_USAGE, "%s", err);
		full[i] = text + (words[w] - text);
	}
	return CTL_OK;
}

int
cmd_ok(struct ctl *c, int argc, char **argv)
{
	char text[CMD_WORDS_TEXT], *full[CMD_WORDS_MAX];
	int rc = cmd_words(c, argc, argv, text, full);

	return rc != CTL_OK ? rc : ctl_simple(c, c->cmd->name, argc, full, ctl_show_ok);
}

int
cmd_logout(struct ctl *c, int argc, char **argv)
{
	int rc;

	if (argc == 1 && strcmp(argv[0], "force") != 0 && strncmp(argv[0], "force", strlen(argv[0])) == 0)
		return ctl_fail(c, CTL_USAGE, "write force in full: it deletes the login whatever the server answers");
	rc = cmd_ok(c, argc, argv);
	if (rc == CTL_ERROR && argc == 0 && !c->json)
		ctl_note(c, "`tailnetctl logout force` deletes the login here even if the server cannot be reached");
	return rc;
}

static int
show_processes(struct ctl *c, struct json_object *list)
{
	static const char *const heads[] = { "NAME", "PID", "UID", "STARTED", "RESTARTS", "SANDBOX" };
	struct json_object *p, *pid;
	struct table t;
	char text[400];
	int64_t started;
	size_t i;

	if (!json_object_is_type(list, json_type_array))
		return ctl_fail(c, CTL_ERROR, "tailnetd's answer is not a list");
	table_init(&t, c->out, heads, 6, 1 << 1 | 1 << 2 | 1 << 4);
	for (i = 0; i < json_object_array_length(list); i++) {
		p = json_object_array_get_idx(list, i);
		table_str(&t, jstr(p, "name"));
		pid = json_get(p, "pid", NULL);
		table_str(&t, pid != NULL ? json_object_get_string(pid) : "-");
		table_str(&t,
		    pid != NULL && json_get(p, "uid", NULL) != NULL ? json_object_get_string(json_get(p, "uid", NULL))
								    : "-");
		table_str(&t, pid != NULL && jtime(p, "startedAt", &started) ? when_text(started, c->now, text) : "-");
		snprintf(text, sizeof(text), "%" PRId64, ji64(p, "restarts"));
		table_str(&t, text);
		jlist(p, "sandbox", " ", text, sizeof(text));
		table_str(&t, text);
	}
	return table_end(&t) == -1 ? ctl_fail(c, CTL_ERROR, "out of memory") : CTL_OK;
}

int
cmd_processes(struct ctl *c, int argc, char **argv)
{
	return argc != 0 ? ctl_usage(c) : ctl_simple(c, "processes", argc, argv, show_processes);
}

static int
show_server_key(struct ctl *c, struct json_object *o)
{
	char date[WHEN_MAX];
	int64_t t;

	if (json_get(o, "ok", NULL) != NULL)
		return ctl_show_ok(c, o);
	out_field(c, "Server key", jstr(o, "serverKey"));
	out_field(c, "Source", jstr(o, "source"));
	if (jtime(o, "since", &t))
		out_field(c, "Since", date_text(t, date));
	out_field_color(c, "Offered", COLOR_BAD, jstr(o, "offered"));
	return CTL_OK;
}

int
cmd_server_key(struct ctl *c, int argc, char **argv)
{
	static char accept[] = "accept";
	char *args[2] = { accept, NULL };

	if (argc == 0)
		return ctl_simple(c, "server-key", 0, NULL, show_server_key);
	if (argc != 2)
		return ctl_usage(c);
	if (strcmp(argv[0], accept) != 0)
		return ctl_fail(c, CTL_USAGE, "write %s in full: it replaces the key of the server", accept);
	args[1] = argv[1];
	return ctl_simple(c, "server-key", 2, args, show_server_key);
}

/* --- set --- */
static int
show_changed(struct ctl *c, struct json_object *o)
{
	int changed;

	if (ctl_show_ok(c, o) != CTL_OK)
		return CTL_ERROR;
	if (json_get_bool(o, "changed", &changed) == 1)
		fprintf(c->out, changed ? "changed\n" : "unchanged\n");
	return CTL_OK;
}

/* Line breaks and tabs mean nothing between JSON tokens, and cannot be inside them. */
static int
add_flat(struct buf *b, const char *s, size_t n)
{
	for (; n > 0; s++, n--)
		if (buf_putc(b, *s == '\n' || *s == '\r' || *s == '\t' ? ' ' : *s) == -1)
			return -1;
	return 0;
}

static int
add_stdin(struct buf *b)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		if (add_flat(b, piece, (size_t)n) == -1)
			return -1;
	return n == -1 ? -1 : 0;
}

static int
set_line(struct ctl *c, struct buf *b, const char *what, int argc, char **argv)
{
	int i, r = 0;

	buf_printf(b, "set %s", what);
	for (i = 0; i < argc && r == 0; i++) {
		buf_putc(b, ' ');
		if (argc == 1 && strcmp(argv[0], "-") == 0)
			r = add_stdin(b);
		else
			r = add_flat(b, argv[i], strlen(argv[i]));
	}
	if (buf_putc(b, '\n') == -1 || r == -1)
		return ctl_fail(c, CTL_USAGE, "set %s: too long, at most %d bytes", what, CTL_SET_MAX);
	return CTL_OK;
}

int
cmd_set(struct ctl *c, int argc, char **argv)
{
	static const char *const words[] = { "hostinfo", "netinfo", "endpoints", "disco-key" };
	struct json_object *o = NULL;
	struct source s;
	struct buf line;
	char err[200] = "";
	int i, rc;

	if (argc == 0)
		return ctl_usage(c);
	if ((i = word_match(argv[0], words, 4, sizeof(words[0]), "setting", err, sizeof(err))) < 0)
		return ctl_fail(c, CTL_USAGE, "%s", err);
	if (argc == 1 && i != 2)
		return ctl_usage(c);
	buf_init(&line, CTL_SET_MAX);
	if ((rc = set_line(c, &line, words[i], argc - 1, argv + 1)) == CTL_OK &&
	    (rc = ctl_ask(c, &s, (char *)buf_ptr(&line), buf_len(&line))) == CTL_OK) {
		if (c->json || c->quiet)
			rc = ctl_relay(c, &s, END_NONE);
		else if ((rc = ctl_answer(c, &s, &o)) == CTL_OK)
			rc = show_changed(c, o);
		json_object_put(o);
		source_close(&s);
	}
	buf_free(&line);
	return rc;
}

/* --- doctor --- */
static int
doctor_line(struct ctl *c, struct json_object *o)
{
	int ok = jbool(o, "ok");
	double ms = 0;

	out_color(c, ok ? COLOR_GOOD : COLOR_BAD, ok ? "ok      " : "FAILED  ");
	out_safe(c->out, jstr(o, "name"), strlen(jstr(o, "name")));
	fprintf(c->out, "%*s", strlen(jstr(o, "name")) < 16 ? (int)(16 - strlen(jstr(o, "name"))) : 1, "");
	if (jnum(o, "ms", &ms))
		fprintf(c->out, "%8.1f ms  ", ms);
	else
		fputs("             ", c->out);
	out_safe(c->out, jstr(o, "text"), strlen(jstr(o, "text")));
	fputc('\n', c->out);
	fflush(c->out);
	return ok ? CTL_OK : CTL_ERROR;
}

/* Printed as received, as a line, or not at all: the exit code is the same. */
static int
doctor_value(struct ctl *c, const struct buf *text, int is_end)
{
	struct json_object *o = NULL, *e;
	struct source mem;
	int rc = CTL_OK;

	source_init(&mem, -1, -1);
	mem.buf = (char *)buf_ptr(text);
	mem.len = buf_len(text);
	if (c->json && !c->quiet) {
		out_json_line(c->out, mem.buf, mem.len);
		fflush(c->out);
	}
	if (scan_json(&mem, &o) != 1)
		rc = ctl_lost(c, &mem);
	else if (json_get_obj(o, "error", &e) == 1)
		rc = c->json ? ctl_error_code(jstr(e, "code")) : ctl_answer_error(c, o);
	else if (is_end)
		rc = CTL_OK;
	else if (c->json || c->quiet)
		rc = jbool(o, "ok") ? CTL_OK : CTL_ERROR;
	else
		rc = doctor_line(c, o);
	json_object_put(o);
	return rc;
}

static int
doctor_lines(struct ctl *c, struct source *s)
{
	struct endmark mark = { .kind = END_LINES };
	struct buf text;
	int r, one, rc = CTL_OK, any = 0;

	buf_init(&text, SCAN_VALUE_MAX);
	while ((r = scan_value(s, &text)) == 1) {
		endmark_line(&mark, (char *)buf_ptr(&text), buf_len(&text));
		if ((one = doctor_value(c, &text, mark.found)) != CTL_OK)
			rc = one;
		buf_reset(&text);
		any = 1;
	}
	buf_free(&text);
	if (r == -1 || !any)
		return ctl_lost(c, s);
	return rc != CTL_OK ? rc : endmark_check(&mark, c);
}

int
cmd_doctor(struct ctl *c, int argc, char **argv)
{
	struct source s;
	int rc;

	(void)argv;
	if (argc != 0)
		return ctl_usage(c);
	if ((rc = ctl_ask_words(c, &s, "doctor", 0, NULL)) != CTL_OK)
		return rc;
	rc = doctor_lines(c, &s);
	source_close(&s);
	return rc;
}
