/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <fcntl.h>
#include <signal.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <json-c/json.h>
#include <sodium.h>

#include "buf.h"
#include "daemon.h"
#include "exits.h"
#include "log.h"
#include "notify.h"
#include "parent.h"
#include "sandbox.h"

static int
usage(void)
{
	fprintf(stderr, "usage: tailnetd [-dnvV] [-f conffile]\n");
	return EXIT_STARTUP;
}

static int
version(void)
{
	printf("tailnetd %s (%s)\nbuild %s\nlibevent %s, json-c %s, libsodium %s\n", TAILNETD_VERSION, build_options,
	    build_id, event_get_version(), json_c_version(), sodium_version_string());
	return EXIT_OK;
}

/* The files that the configuration names; one that only root may read is left to root. */
static int
check_files(const struct config *c)
{
	char key[IPC_AUTHKEY_MAX + 1], err[400] = "";
	size_t len;
	int fd = -1, rv = EXIT_OK;

	if (c->ca_file[0] != '\0' && (fd = open(c->ca_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1 &&
	    (errno != EACCES || geteuid() == 0)) {
		fprintf(stderr, "ca-file %s: %s\n", c->ca_file, strerror(errno));
		rv = EXIT_STARTUP;
	}
	if (fd != -1)
		close(fd);
	if (c->auth_key_file[0] != '\0' && (geteuid() == 0 || access(c->auth_key_file, R_OK) == 0 || errno != EACCES) &&
	    config_read_authkey(c, key, sizeof(key), &len, err, sizeof(err)) == -1) {
		fprintf(stderr, "%s\n", err);
		rv = EXIT_STARTUP;
	}
	sodium_memzero(key, sizeof(key));
	return rv;
}

static int
check_only(const struct config *c, int print)
{
	struct buf out;
	int rv = check_files(c);

	if (!print || rv != EXIT_OK)
		return rv;
	buf_init(&out, 1u << 20);
	if (config_print(c, &out) == -1 || fwrite(buf_ptr(&out), 1, buf_len(&out), stdout) != buf_len(&out))
		return EXIT_STARTUP;
	buf_free(&out);
	return EXIT_OK;
}

/* For a reload: a daemon's directory is the root.  Links stay what they are, for they may lead elsewhere then. */
static const char *
from_root(const char *path)
{
	char dir[1024], *whole;

	if (path[0] == '/' || getcwd(dir, sizeof(dir)) == NULL || asprintf(&whole, "%s/%s", dir, path) == -1)
		return path;
	return whole;
}

/* The environment may name keys and sockets: nothing below needs it (security.md D11, D14). */
static void
empty_environment(void)
{
	static char *none[] = { NULL };
	extern char **environ;

	environ = none;
}

/*
 * What the starter has blocked or ignored stays so over exec: with SIGCHLD blocked, no end of a child would be noticed.
 * Past a limit on the size of files a write fails (`state-not-saved`) instead of ending us without a word.
 */
static void
fresh_signals(void)
{
	struct sigaction sa;
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		if (sigaction(i, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGXFSZ, SIG_IGN);
}

int
main(int argc, char **argv)
{
	static struct parent p; /* zeroed; too large for the stack */
	int ch, check = 0, verbose = 0;
	char err[600];

	/*
	 * Directories are made with the modes that they are to have (interface.md 2), whatever mask we were started
	 * with.
	 */
	umask(022);
	fresh_signals();
	p.conf_path = PATH_SYSCONFDIR "/tailnetd.conf";
	log_init("tailnetd", LOG_L_INFO);
	log_find_journal(getenv("JOURNAL_STREAM"));
	sandbox_harden_process();
	while ((ch = getopt(argc, argv, "df:nvV")) != -1) {
		switch (ch) {
		case 'd': p.foreground = 1; break;
		case 'f': p.conf_path = optarg; break;
		case 'n': check = 1; break;
		case 'v': verbose++; break;
		case 'V': return version();
		default: return usage();
		}
	}
	if (optind < argc)
		return usage();
	if (sodium_init() == -1)
		fatalx(EXIT_STARTUP, "libsodium");
	/* A file may be checked where its accounts are not. */
	if (config_load(p.conf_path, !check, &p.cfg, err, sizeof(err)) == -1) {
		if (check)
			fprintf(stderr, "%s\n", err);
		else
			log_errorx("%s", err);
		return check ? EXIT_STARTUP : EXIT_UNUSABLE;
	}
	if (check)
		return check_only(&p.cfg, verbose > 0);
	p.root = geteuid() == 0;
	log_set_level(verbose > 0 ? LOG_L_DEBUG : p.cfg.log_level);
	if ((p.notify = notify_new()) == NULL)
		fatal(EXIT_STARTUP, "start");
	empty_environment();
	p.ready_fd = -1;
	if (!p.foreground) {
		/* Errors at the start are written to stderr as well, for a start by hand. */
		log_to_syslog(!notify_wanted(p.notify));
		p.conf_path = from_root(p.conf_path);
		if (!notify_wanted(p.notify) && (p.ready_fd = daemonise()) == -1)
			fatal(EXIT_STARTUP, "daemon");
	}
	return parent_run(&p);
}
