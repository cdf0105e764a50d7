/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

#define PATIENCE_MS 50

/* The one piece of process-wide state: logging must work everywhere, also where no context is at hand. */
static struct {
	const char *name;
	enum log_level level;
	log_sink sink;
	void *arg;
	int syslog_fd, stderr_too;
	int journal;   /* stderr is the systemd journal */
	unsigned lost; /* lines left out because the reader had no room */
} logger = { .name = "tailnetd", .level = LOG_L_INFO, .syslog_fd = -1 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

static void sink_syslog(void *arg, enum log_level level, const char *text);

/*
 * The reader of the log may have stopped: a daemon that waited for it would be stopped as well and answer neither
 * clients nor SIGTERM.  Lines for which there is no room within PATIENCE_MS are counted, and the number is logged
 * afterwards.
 */
static int
line_of(char *out, size_t size, const char *name, long pid, enum log_level level, const char *text)
{
	int n;

	/* The journal reads the priority, and knows name and process of what we say ourselves. */
	if (logger.journal && logger.sink != sink_syslog && pid == (long)getpid())
		n = snprintf(out, size, "<%d>%s: %s\n", priorities[level], log_level_name(level), text);
	else if (logger.journal && logger.sink != sink_syslog)
		n = snprintf(out, size, "<%d>%s[%ld]: %s: %s\n", priorities[level], name, pid, log_level_name(level),
		    text);
	else
		n = snprintf(out, size, "%s[%ld]: %s: %s\n", name, pid, log_level_name(level), text);
	return n > 0 && (size_t)n < size ? n : 0;
}

static int
lost_line(char *out, size_t size)
{
	char text[80];

	snprintf(text, sizeof(text), "%u log line%s left out: the log was not read", logger.lost,
	    logger.lost == 1 ? "" : "s");
	return line_of(out, size, logger.name, (long)getpid(), LOG_L_WARN, text);
}

/* A reader that is merely slow is waited for; but not line after line. */
static int
has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int n = poll(&p, 1, logger.lost == 0 ? PATIENCE_MS : 0);

	if (n == -1) /* interrupted by a signal */
		n = poll(&p, 1, 0);
	return n != 0; /* the writer reports errors */
}

/*
 * One write(2) for each line: lines of several processes never mix.  No stdio, which may fail in a sandbox.  0: no
 * room.
 */
static int
put_stderr(const char *line, int n)
{
	if (!has_room(STDERR_FILENO))
		return 0;
	(void)!write(STDERR_FILENO, line, (size_t)n);
	return 1;
}

static void
write_stderr(const char *name, long pid, enum log_level level, const char *text)
{
	char line[LOG_LINE_MAX + 128];

	if (logger.lost > 0 && put_stderr(line, lost_line(line, sizeof(line))))
		logger.lost = 0;
	if (!put_stderr(line, line_of(line, sizeof(line), name, pid, level, text)))
		logger.lost++;
}

static void
sink_stderr(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	write_stderr(logger.name, (long)getpid(), level, text);
}

#ifdef __linux__
/* 0, or an errno: EPROTOTYPE for the kind of syslogd that wants a stream. */
static int
syslog_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };
	int fd, err;

	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		err = errno;
		close(fd);
		return err;
	}
	logger.syslog_fd = fd;
	return 0;
}

/* One line with what syslog(3) puts before it.  0, or an errno. */
static int
syslog_send(enum log_level level, const char *line, int n)
{
	char text[LOG_LINE_MAX + 256], when[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	int len;

	if (localtime_r(&now, &tm) == NULL || strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm) == 0)
		return EINVAL;
	len = snprintf(text, sizeof(text), "<%d>%s %.*s", LOG_DAEMON | priorities[level], when, n - 1, line);
	return send(logger.syslog_fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == -1 ? errno : 0;
}

/* The same, to a syslogd that may have been restarted since the last one. */
static int
syslog_try(enum log_level level, const char *line, int n)
{
	int err = logger.syslog_fd == -1 ? ENOTCONN : syslog_send(level, line, n);

	if (err == EAGAIN && has_room(logger.syslog_fd))
		err = syslog_send(level, line, n);
	if (err == 0 || err == EAGAIN || err == ENOBUFS)
		return err;
	if (logger.syslog_fd != -1)
		close(logger.syslog_fd);
	logger.syslog_fd = -1;
	return (err = syslog_connect()) != 0 ? err : syslog_send(level, line, n);
}

/* 0: a syslogd of a kind that only syslog(3) knows. */
static int
to_syslog(enum log_level level, const char *text)
{
	char line[LOG_LINE_MAX + 128];
	int err;

	if (logger.lost > 0 && syslog_try(LOG_L_WARN, line, lost_line(line, sizeof(line))) == 0)
		logger.lost = 0;
	err = syslog_try(level, line, line_of(line, sizeof(line), logger.name, (long)getpid(), level, text));
	if (err == EPROTOTYPE)
		return 0;
	if (err != 0)
		logger.lost++;
	if (logger.stderr_too)
		(void)put_stderr(line, (int)strlen(line));
	return 1;
}
#endif

static void
sink_syslog(void *arg, enum log_level level, const char *text)
{
	(void)arg;
#ifdef __linux__
	if (to_syslog(level, text))
		return;
#endif
	syslog(priorities[level], "%s: %s", log_level_name(level), text);
}

void
log_init(const char *name, enum log_level level)
{
	logger.name = name;
	logger.level = level;
	log_to_sink(NULL, NULL);
}

void
log_find_journal(const char *stream)
{
	unsigned long long dev, ino;
	struct stat st;

	logger.journal = stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	    fstat(STDERR_FILENO, &st) == 0 && (unsigned long long)st.st_dev == dev &&
	    (unsigned long long)st.st_ino == ino;
}

void
log_to_syslog(int stderr_too)
{
	logger.stderr_too = stderr_too;
	openlog(logger.name, LOG_PID | (stderr_too ? LOG_PERROR : 0), LOG_DAEMON);
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
