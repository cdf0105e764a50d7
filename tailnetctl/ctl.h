/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CTL_H
#define CTL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"
#include "json.h"
#include "scan.h"

/* Exit codes of interface.md 8. */
enum {
	CTL_OK = 0,
	CTL_ERROR = 1,
	CTL_USAGE = 2,
	CTL_DOWN = 3,		/* daemon not running */
	CTL_DENIED = 4,
	CTL_LOGIN = 5,		/* login needed: URL pending or logged out */
	CTL_SYNC = 6,		/* not synchronized or stale */
	CTL_EXPIRY = 7,		/* node key expired, or soon will */
	CTL_TIMEOUT = 8
};

#define CTL_LINE_MAX	4096	/* of a request, interface.md 3 */
#define CTL_SET_MAX	65536
#define CTL_IDLE_MS	120000	/* longest silence in an answer, but for events */
#define CTL_EXPIRY_WARN	(7 * 86400)

struct ctl {			/* one invocation */
	const char	*socket;
	int		 json;		/* -j */
	int		 quiet;		/* -q */
	int		 color;
	FILE		*out;
	int64_t		 now;		/* Unix seconds at the start */
};

struct command {
	const char	*name;
	const char	*args;		/* for the usage line */
	const char	*what;
	int		(*run)(struct ctl *c, int argc, char **argv);	/* argv behind the name; returns the exit code */
};
extern const struct command ctl_commands[];
extern const size_t ctl_ncommands;

int	 ctl_main(int argc, char **argv);

/* Complaints go to stderr unless -q; text is made safe.  ctl_fail() returns code. */
int	 ctl_fail(const struct ctl *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void	 ctl_note(const struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int	 ctl_usage(const struct ctl *c, const char *name);	/* the usage of one command; CTL_USAGE */

/* --- words.c (pure) --- */
/*
 * The index of the one word that s abbreviates (an exact match always wins); -1 none, -2 several: err then says which.
 * stride: bytes from one word pointer to the next, so that a table of structs whose first member is the name will do.
 */
int	 word_match(const char *s, const void *words, size_t n, size_t stride, const char *kind, char *err, size_t errsize);
/* "verb arg arg\n" into b; -1 with a reason: empty argument, control character, longer than max. */
int	 words_line(struct buf *b, const char *verb, int argc, char *const *argv, size_t max, const char **why);

/* --- sock.c --- */
int	 ctl_connect(const struct ctl *c, int *fd);				/* 0 or an exit code, complaint made */
/* Connect and send a whole line.  0 or an exit code. */
int	 ctl_ask(const struct ctl *c, struct source *s, const char *line, size_t n);
int	 ctl_ask_words(const struct ctl *c, struct source *s, const char *verb, int argc, char **argv);
/* One JSON value of the answer.  0 = *o is new (NULL: the text `null`); else the exit code, complaint made; errors of the daemon count. */
int	 ctl_answer(const struct ctl *c, struct source *s, struct json_object **o);
int	 ctl_error_code(const char *code);					/* "denied" -> CTL_DENIED (pure) */
int	 ctl_answer_error(const struct ctl *c, struct json_object *o);	/* 0, or the exit code of {"error":..}; complaint made */
int	 ctl_lost(const struct ctl *c, const struct source *s);		/* complaint about an answer that ended early */
int	 ctl_cut_off(const struct ctl *c);				/* complaint about one that ends within a line */
/* The exit code that a line stands for, CTL_OK unless it is an error object.  With c the complaint is made. */
int	 ctl_error_line(const struct ctl *c, char *line, size_t n);
/*
 * The rest of the answer to c->out as it is (nowhere with -q); an error object as the last line (an answer may be one, and
 * one that could not be finished ends with one) gives its exit code.
 */
int	 ctl_relay(const struct ctl *c, struct source *s);
/* Ask and: -j relay, else one value to show().  What most commands do. */
int	 ctl_simple(struct ctl *c, const char *verb, int argc, char **argv, int (*show)(struct ctl *, struct json_object *));
int	 ctl_show_ok(struct ctl *c, struct json_object *o);

/* --- out.c --- */
enum color { COLOR_NONE, COLOR_GOOD, COLOR_WARN, COLOR_BAD, COLOR_DIM };
void	 out_safe(FILE *f, const char *s, size_t n);			/* text_sanitize() of any length */
/* A piece of JSON text as it came, but for DEL and U+0080 to U+009F, which JSON takes raw and terminals obey.  *half: 0 at first. */
void	 out_json(FILE *f, const char *s, size_t n, int *half);
void	 out_color(const struct ctl *c, enum color color, const char *s);	/* s is made safe */
/* "Label        value" with the label's column fixed; nothing is printed for an empty value. */
void	 out_field(const struct ctl *c, const char *label, const char *value);
void	 out_field_color(const struct ctl *c, const char *label, enum color color, const char *value);

/* Rows with aligned columns, printed in blocks so that memory stays bounded.  The last column is not padded. */
#define TABLE_COLS	8
#define TABLE_BLOCK	4096	/* rows */
#define TABLE_CELL_MAX	64	/* columns of the terminal; longer text is cut and ends in "..." */
struct table {
	FILE		*f;
	size_t		 ncols, cells, width[TABLE_COLS];
	unsigned	 right;		/* bit per column */
	struct buf	 text;
};
void	 table_init(struct table *t, FILE *f, const char *const *heads, size_t ncols, unsigned right);
void	 table_str(struct table *t, const char *s);
int	 table_end(struct table *t);		/* prints, frees; -1 when memory was out */

/* --- when.c (pure) --- */
#define WHEN_MAX	48
char	*span_text(double seconds, char out[WHEN_MAX]);			/* "12 s" "5 min" "3 h" "29 d" "4 y" */
char	*when_text(int64_t t, int64_t now, char out[WHEN_MAX]);		/* "5 min ago" "in 3 h" "now" */
char	*date_text(int64_t t, char out[WHEN_MAX]);				/* "2027-01-02 03:04" local time */

/* --- jget.c: members of a daemon's answer, as C strings and with defaults --- */
const char *jstr(struct json_object *o, const char *name);		/* "" when absent or no string; cut at NUL */
int	 jbool(struct json_object *o, const char *name);
int64_t	 ji64(struct json_object *o, const char *name);			/* 0 when absent */
int	 jnum(struct json_object *o, const char *name, double *v);	/* 1 present */
int	 jtime(struct json_object *o, const char *name, int64_t *t);	/* 1 present and not zero */
/* Strings of an array with a separator; "" when absent. */
void	 jlist(struct json_object *o, const char *name, const char *sep, char *out, size_t outsize);

/* --- status.c --- */
int	 status_exit(struct json_object *st, int64_t now);		/* of `status --check` (pure) */
void	 status_state(struct json_object *st, char *out, size_t outsize);	/* "synchronized, 12 peers" */
enum color status_color(struct json_object *st);

/* --- watching: events.c --- */
struct event {			/* one event, its bulk left out */
	char			 name[32];
	struct json_object	*o;		/* members but netmap and nodes */
};
/* 1 = an event (free with event_done), 0 = closed, -1 = trouble (complaint made through ctl_lost). */
int	 event_next(struct source *s, struct event *e);
void	 event_done(struct event *e);
void	 event_print_json(struct ctl *c, const struct event *e);	/* a line, with -j only */
struct json_object *event_status(struct event *e);			/* NULL unless a status event */

/* --- answers made readable, from any source: exit code --- */
void	 status_print(struct ctl *c, struct json_object *st);
int	 peers_print(struct ctl *c, struct source *s);
void	 node_name(struct json_object *node, char *out, size_t outsize);	/* without the dot at the end; "-" for none */
void	 node_addresses(struct json_object *node, const char *sep, char *out, size_t outsize);	/* without the lengths */
int	 netmap_print(struct ctl *c, struct source *s);
int	 events_print(struct ctl *c, struct source *s);
int	 text_print(struct ctl *c, struct source *s);

/* --- the commands --- */
int	 cmd_status(struct ctl *, int, char **);
int	 cmd_netmap(struct ctl *, int, char **);
int	 cmd_peers(struct ctl *, int, char **);
int	 cmd_peer(struct ctl *, int, char **);
int	 cmd_watch(struct ctl *, int, char **);
int	 cmd_wait(struct ctl *, int, char **);
int	 cmd_wgconf(struct ctl *, int, char **);
int	 cmd_hosts(struct ctl *, int, char **);
int	 cmd_metrics(struct ctl *, int, char **);
int	 cmd_processes(struct ctl *, int, char **);
int	 cmd_login(struct ctl *, int, char **);
int	 cmd_logout(struct ctl *, int, char **);
int	 cmd_pause(struct ctl *, int, char **);
int	 cmd_unpause(struct ctl *, int, char **);
int	 cmd_reconnect(struct ctl *, int, char **);
int	 cmd_shutdown(struct ctl *, int, char **);
int	 cmd_set(struct ctl *, int, char **);
int	 cmd_server_key(struct ctl *, int, char **);
int	 cmd_log(struct ctl *, int, char **);
int	 cmd_doctor(struct ctl *, int, char **);

/* --- authkey.c --- */
#define AUTHKEY_MAX	1024
/*
 * The pre-auth key from a file (regular, owner root or the caller, no access for others) or "-" = standard input (no echo on a
 * terminal), trimmed.  0, or -1 with a reason.  The caller wipes key.
 */
int	 authkey_read(const char *file, char key[AUTHKEY_MAX + 1], char *err, size_t errsize);

/* --- qr.c --- */
int	 qr_print(FILE *f, const char *text);	/* half-block characters; -1 when it does not fit */

#endif
