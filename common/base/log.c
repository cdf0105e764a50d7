/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

/* The one piece of process-wide state: logging must work everywhere, also where no context is at hand. */
static struct {
	const char *name;
	enum log_level level;
	log_sink sink;
	void *arg;
} logger = { "tailnetd", LOG_L_INFO, NULL, NULL };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* One write(2) per line, so that lines of several processes never mix; no stdio, which may not work in a sandbox. */
static void
write_stderr(const char *name, long pid, enum log_level level, const char *text)
{
	char line[LOG_LINE_MAX + 128];
	int n;

	n = snprintf(line, sizeof(line), "%s[%ld]: %s: %s\n", name, pid, log_level_name(level), text);
	if (n > 0 && (size_t)n < sizeof(line) && write(STDERR_FILENO, line, (size_t)n) == -1)
		return;
}

static void
sink_stderr(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	write_stderr(logger.name, (long)getpid(), level, text);
}

static void
sink_syslog(void *arg, enum log_level level, const char *text)
{
	static const int prio[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

	(void)arg;
	syslog(prio[level], "%s: %s", log_level_name(level), text);
}

void
log_init(const char *name, enum log_level level)
{
	logger.name = name;
	logger.level = level;
	log_to_sink(NULL, NULL);
}

void
log_to_syslog(int stderr_too)
{
	openlog(logger.name, LOG_PID | LOG_NDELAY | (stderr_too ? LOG_PERROR : 0), LOG_DAEMON);
	log_to_sink(sink_syslog, NULL);
}

void
log_to_sink(log_sink sink, void *arg)
{
	logger.sink = sink;
	logger.arg = arg;
}

void
log_set_level(enum log_level level)
{
	logger.level = level;
}

enum log_level
log_get_level(void)
{
	return logger.level;
}

const char *
log_level_name(enum log_level level)
{
	return (unsigned)level <= LOG_L_DEBUG ? level_names[level] : "?";
}

int
log_level_parse(const char *s, enum log_level *out)
{
	int i;

	for (i = LOG_L_ERROR; i <= LOG_L_DEBUG; i++) {
		if (strcmp(s, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

void
log_write(enum log_level level, const char *text)
{
	char line[LOG_LINE_MAX + 1];
	int saved = errno;

	if (level > LOG_L_DEBUG)
		level = LOG_L_DEBUG;
	if (level > logger.level)
		return;
	text_sanitize(text, strlen(text), line, sizeof(line));
	if (logger.sink != NULL)
		logger.sink(logger.arg, level, line);
	else
		sink_stderr(NULL, level, line);
	errno = saved;
}

void
log_write_as(const char *name, int pid, enum log_level level, const char *text)
{
	char safe[LOG_LINE_MAX - 64], line[LOG_LINE_MAX + 1];
	int saved = errno;

	if (level > logger.level)
		return;
	text_sanitize(text, strlen(text), safe, sizeof(safe));
	if (logger.sink == NULL)
		write_stderr(name, pid, level, safe);
	else {
		snprintf(line, sizeof(line), "%.32s[%d]: %s", name, pid, safe);
		logger.sink(logger.arg, level, line);
	}
	errno = saved;
}

static void __attribute__((format(printf, 3, 0)))
log_vwrite(enum log_level level, int with_errno, const char *fmt, va_list ap)
{
	char text[2 * LOG_LINE_MAX];
	int saved = errno, n;

	if (level > logger.level)
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		strlcpy(text, fmt, sizeof(text));
	if (with_errno) {
		strlcat(text, ": ", sizeof(text));
		strlcat(text, strerror(saved), sizeof(text));
	}
	log_write(level, text);
	errno = saved;
}

#define LOG_BODY(level, with_errno) \
	va_list ap; \
	va_start(ap, fmt); \
	log_vwrite(level, with_errno, fmt, ap); \
	va_end(ap)

void
log_error(const char *fmt, ...)
{
	LOG_BODY(LOG_L_ERROR, 1);
}

void
log_errorx(const char *fmt, ...)
{
	LOG_BODY(LOG_L_ERROR, 0);
}

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_L_WARN, 1);
}

void
log_warnx(const char *fmt, ...)
{
	LOG_BODY(LOG_L_WARN, 0);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_L_INFO, 0);
}

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_L_DEBUG, 0);
}

void
fatal(int code, const char *fmt, ...)
{
	LOG_BODY(LOG_L_ERROR, 1);
	_exit(code);
}

void
fatalx(int code, const char *fmt, ...)
{
	LOG_BODY(LOG_L_ERROR, 0);
	_exit(code);
}
