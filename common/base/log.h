/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOG_H
#define LOG_H

#include <stdarg.h>

/* Levels and names of interface.md 2 (`log-level`) and 9 (`process[pid]: level: text`). */
enum log_level { LOG_L_ERROR, LOG_L_WARN, LOG_L_INFO, LOG_L_DEBUG };

/* Where finished lines go.  text has no trailing newline and at most LOG_LINE_MAX bytes; errno is the caller's. */
typedef void (*log_sink)(void *arg, enum log_level level, const char *text);

#define LOG_LINE_MAX 512

/* Start logging as process `name` (the string is kept).  Default sink: stderr, `name[pid]: level: text`. */
void	 log_init(const char *name, enum log_level level);
void	 log_to_syslog(int stderr_too);
void	 log_to_sink(log_sink sink, void *arg);		/* children: over ipc */
/*
 * stream: JOURNAL_STREAM of the environment, or NULL.  If stderr is that journal, lines to it begin with their
 * priority, as systemd wants it, instead of name and process, which it knows.
 */
void	 log_find_journal(const char *stream);
void	 log_set_level(enum log_level level);
enum log_level log_get_level(void);
const char *log_level_name(enum log_level level);		/* "error" "warn" "info" "debug" */
int	 log_level_parse(const char *s, enum log_level *out);	/* 0, or -1 */

/*
 * Writers.  The plain form appends ": strerror(errno)", the x form does not.  errno is preserved.  Control bytes in the
 * finished text are escaped (security.md D12).  Never pass key material or a URL: see keytext.h key_short().
 */
void	 log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_errorx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_write(enum log_level level, const char *text);	/* ready text */
/* A child's line, under its name. */
void	 log_write_as(const char *name, int pid, enum log_level level, const char *text);

/* Log at error level and _exit(code); fatal adds strerror(errno). */
void	 fatal(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
void	 fatalx(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
