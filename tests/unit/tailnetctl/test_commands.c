/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authkey.h"
#include "ctl.h"
#include "scan.h"
#include "texts.h"
#include "words.h"
#include "unit.h"

/* Whole commands against a forked daemon of paste: it knows requests and their answers by heart. */
#define STATUS(more) \
	"{\"v\":1,\"state\":\"state:synchronized\",\"loggedIn\":true,\"synced\":true,\"netmapSource\":\"live\"," \
	"\"peers\":2,\"url\":\"\"" more "}"
#define EVENT(name, more) "{\"v\":1,\"seq\":1,\"time\":\"2026-11-23T15:00:00Z\",\"event\":\"" name "\"" more "}\n"
#define SELF              ",\"self\":{\"Name\":\"n\\u001b[2Jx.\",\"Addresses\":[\"100.64.0.1/32\",\"fd7a::1/128\"]}"
#define END(n)            "{\"end\":{\"count\":" #n ",\"netmapSeq\":17}}\n"
#define TEXT_END(n)       "# end: " #n " peers, netmapSeq 17\n"
#define WORKING           "\"status\":{\"state\":\"state:authenticating\",\"loggedIn\":false,\"goal\":{}"

static const struct {
	const char *request, *answer;
} script[] = {
	{ "status\n", STATUS(SELF) "\n" },
	{ "peers\n",
	    "{\"ID\":1,\"Name\":\"one.\",\"Addresses\":[\"100.64.0.1/"
	    "32\"],\"Online\":true}\n{\"ID\":2,\"Name\":\"two.\",\"LastSeen\":\"2026-01-01T00:00:00Z\"}\n" END(2) },
	{ "peers limit=0\n", END(0) },
	{ "peers limit=5\n", "{\"ID\":1,\"Name\":\"one.\"}\n" },
	{ "peers limit=6\n", "{\"ID\":1,\"Name\":\"one.\"}\n" END(2) },
	{ "peers limit=7\n", "" },
	{ "peers limit=3\n",
	    "{\"ID\":1,\"Name\":\"one.\",\"error\":{\"code\":\"x\"}}\n"
	    "{\"error\":{\"code\":\"timeout\",\"message\":\"incomplete\"}}\n" },
	{ "peers limit=4\n", "{\"ID\":1,\"Name\":\"one.\"}\n{\"ID\":2,\"Na" },
	{ "peers limit=-1\n", "{\"error\":{\"code\":\"usage\",\"message\":\"limit\"}}\n" },
	{ "netmap\n", "{\"error\":{\"code\":\"no-netmap\",\"message\":\"none\"}}\n" },
	{ "pause\n", "{\"error\":{\"code\":\"denied\",\"message\":\"no\\u0007\"}}\n" },
	{ "unpause\n", "{\"ok\":true}\n" },
	{ "reconnect\n", "" },
	{ "shutdown\n", "garbage\n" },
	{ "log warn\n", "{\"ok\":false}\n" },
	{ "set hostinfo { \"a\": 1 }\n", "{\"ok\":true,\"changed\":false}\n" },
	{ "metrics\n", "tailnetd_synced 1\n# EOF\n" },
	{ "hosts\n", "100.64.0.1\tone\x1b[2J\n" TEXT_END(1) },
	{ "wgconf\n", "{\"error\":{\"code\":\"not-synced\",\"message\":\"x\"}}\n" },
	{ "wgconf private\n", "[Interface]\nPrivateKey = AA\xff\n\n[Peer]\n" TEXT_END(1) },
	{ "doctor\n",
	    "{\"name\":\"TCP\",\"ok\":true,\"ms\":1.5,\"text\":\"192.0.2.1:1\"}\n{\"name\":\"TLS\",\"ok\":false,\"ms\":"
	    "null,\"text\":\"no\\u001b\"}\n" END(2) },
	{ "login\n", "{\"ok\":true}\n" },
	{ "login interactive auth-key=tskey-abc\n", "{\"ok\":true}\n" },
	{ "watch\n",
	    EVENT("status", ",\"loginFinished\":false,\"status\":{\"url\":\"https://old\",\"loggedIn\":false}")
		EVENT("status", "," WORKING "}") EVENT("status", "," WORKING ",\"url\":\"https://new/\\u001b\"}")
		    EVENT("status", ",\"loginFinished\":true,\"status\":" STATUS(",\"machineAuthorized\":true")) },
	{ "watch netmap\n",
	    EVENT("status", ",\"status\":" STATUS(""))
		EVENT("netmap", ",\"netmapSeq\":3,\"peers\":1,\"netmap\":{\"x\":[1,2,{}]}") },
};

static struct fixture {
	char dir[64], socket[200];
	pid_t daemon;
	struct ctl c;
	char *out;
	size_t outlen;
} fx;

static void
serve_one(int fd)
{
	char req[4096];
	size_t n = 0, i;
	ssize_t r;

	while (
	    n < sizeof(req) - 1 && (n == 0 || req[n - 1] != '\n') && (r = read(fd, req + n, sizeof(req) - 1 - n)) > 0)
		n += (size_t)r;
	req[n] = '\0';
	for (i = 0; i < sizeof(script) / sizeof(script[0]); i++)
		if (strcmp(script[i].request, req) == 0)
			break;
	if (i < sizeof(script) / sizeof(script[0])) {
		const char *a = script[i].answer;

		if (write(fd, a, strlen(a)) == -1)
			_exit(1);
	} else {
		dprintf(fd, "{\"error\":{\"code\":\"internal\",\"message\":\"unexpected: %.*s\"}}\n",
		    (int)(n ? n - 1 : 0), req);
	}
	/* The events of a login arrive while both connections are open. */
	if (strcmp(req, "watch\n") == 0)
		sleep(1);
	close(fd);
}

static void
run_daemon(int l)
{
	int fd;

	signal(SIGCHLD, SIG_IGN);
	while ((fd = accept(l, NULL, NULL)) != -1) {
		if (fork() == 0) {
			close(l);
			serve_one(fd);
			_exit(0);
		}
		close(fd);
	}
	_exit(0);
}

/* The socket is listened on before the daemon is forked: a command that connects at once is not refused. */
static int
setup(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	strlcpy(fx.dir, "/tmp/ctl-unit.XXXXXX", sizeof(fx.dir));
	if (mkdtemp(fx.dir) == NULL)
		return -1;
	snprintf(fx.socket, sizeof(fx.socket), "%s/sock", fx.dir);
	strlcpy(sun.sun_path, fx.socket, sizeof(sun.sun_path));
	if (bind(l, (struct sockaddr *)&sun, sizeof(sun)) == -1 || listen(l, 16) == -1)
		return -1;
	if ((fx.daemon = fork()) == 0)
		run_daemon(l);
	close(l);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kill(fx.daemon, SIGKILL);
	waitpid(fx.daemon, NULL, 0);
	unlink(fx.socket);
	return rmdir(fx.dir);
}

/* Runs a command line; the exit code.  Its output is in fx.out. */
static int
run(const char *line, int json)
{
	char copy[300], *argv[10], *p = copy, *w, err[600];
	int argc = 0, i, rc;

	free(fx.out);
	fx.out = NULL;
	fx.c = (struct ctl){ .socket = fx.socket, .json = json, .now = 1767225600, .limit_ms = 10000 };
	fx.c.out = open_memstream(&fx.out, &fx.outlen);
	strlcpy(copy, line, sizeof(copy));
	while ((w = strsep(&p, "|")) != NULL)
		argv[argc++] = w;
	i = word_match(argv[0], ctl_commands, ctl_ncommands, sizeof(ctl_commands[0]), "command", err, sizeof(err));
	assert_true(i >= 0);
	fx.c.cmd = &ctl_commands[i];
	rc = ctl_commands[i].run(&fx.c, argc - 1, argv + 1);
	fclose(fx.c.out);
	return rc;
}

static void
test_status(void **state)
{
	(void)state;
	assert_int_equal(run("stat", 0), CTL_OK);
	assert_non_null(strstr(fx.out, "synchronized, 2 peers\n"));
	assert_non_null(strstr(fx.out, "This node     n\\x1b[2Jx  100.64.0.1  fd7a::1\n"));
	assert_null(strchr(fx.out, '\x1b'));
	assert_int_equal(run("status|--check", 0), CTL_OK);
	assert_int_equal(run("status|--check", 1), CTL_OK);
	assert_string_equal(fx.out, STATUS(SELF) "\n");
	assert_int_equal(run("status|--bogus", 0), CTL_USAGE);
	assert_int_equal(run("status|x|y", 0), CTL_USAGE);
}

static void
test_peers(void **state)
{
	(void)state;
	assert_int_equal(run("peers", 0), CTL_OK);
	assert_string_equal(fx.out,
	    "NAME  ADDRESSES   SEEN    OS  ROUTES\none   100.64.0.1  online\ntwo               now\n");
	assert_int_equal(run("peers", 1), CTL_OK);
	assert_memory_equal(fx.out, "{\"ID\":1,", 8);
	assert_int_equal(run("peers|limit=0", 1), CTL_OK);
	assert_int_equal(run("peers|limit=0", 0), CTL_OK);
	assert_int_equal(run("peers|limit=-1", 0), CTL_USAGE);
	assert_int_equal(run("peers|limit=-1", 1), CTL_USAGE);
}

/* An answer that is not all there is never success, whatever could be shown of it. */
static void
test_unfinished(void **state)
{
	static const struct {
		const char *text;
		enum end_kind kind;
		int want;
		const char *last;
	} texts[] = {
		{ "a\nb\n{\"error\":{\"code\":\"timeout\",\"message\":\"incomplete\"}}\n", END_HOSTS, CTL_TIMEOUT,
		    "incomplete" },
		{ "a\nb", END_HOSTS, CTL_ERROR, "b\n{\"error\":" },
		{ "a\nb\n", END_HOSTS, CTL_ERROR, "b\n{\"error\":" },
		{ "a\nb\n# EOF\n", END_WGCONF, CTL_ERROR, "EOF\n{\"error\":" },
		{ "a\nb\n" TEXT_END(2), END_METRICS, CTL_ERROR, "17\n{\"error\":" },
		{ "a\nb\n" TEXT_END(2) "c\n", END_HOSTS, CTL_ERROR, "c\n{\"error\":" },
		{ "a\nb\n# end: 2 peers, netmapSeq 1", END_HOSTS, CTL_ERROR, "1\n{\"error\":" },
		{ "a\nb\n[Peer]\n" TEXT_END(2), END_WGCONF, CTL_ERROR, "17\n{\"error\":" },
		{ "a\nb\n[Peer]\n[Peer]\n" TEXT_END(2), END_WGCONF, CTL_OK, TEXT_END(2) },
		{ "a\nb\n" TEXT_END(7), END_HOSTS, CTL_OK, TEXT_END(7) },
		{ "a\nb\n# EOF\n", END_METRICS, CTL_OK, "# EOF\n" },
	};
	struct source s;
	size_t i;
	int json;

	(void)state;
	for (json = 0; json < 2; json++) {
		assert_int_equal(run("peers|limit=3", json), CTL_TIMEOUT);
		assert_non_null(strstr(fx.out, "one"));
		assert_int_equal(run("peers|limit=4", json), CTL_ERROR);
		assert_int_equal(run("peers|limit=5", json), CTL_ERROR); /* no end */
		assert_int_equal(run("peers|limit=6", json), CTL_ERROR); /* one of two */
		assert_int_equal(run("peers|limit=7", json), CTL_ERROR);
	}
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		free(fx.out);
		fx.c.out = open_memstream(&fx.out, &fx.outlen);
		source_init(&s, -1, -1);
		s.buf = strdup(texts[i].text);
		s.len = strlen(texts[i].text);
		assert_int_equal(text_print(&fx.c, &s, texts[i].kind), texts[i].want);
		source_close(&s);
		fclose(fx.c.out);
		assert_memory_equal(fx.out, "a\nb", 3);
		assert_non_null(strstr(fx.out, texts[i].last));
	}
}

static void
test_errors(void **state)
{
	(void)state;
	assert_int_equal(run("netmap", 0), CTL_SYNC);
	assert_int_equal(run("netmap", 1), CTL_SYNC);
	assert_int_equal(run("pause", 0), CTL_DENIED);
	assert_int_equal(run("pause", 1), CTL_DENIED);
	assert_int_equal(run("unpause", 0), CTL_OK);
	assert_string_equal(fx.out, "");
	assert_int_equal(run("reconnect", 0), CTL_ERROR);
	assert_int_equal(run("reconnect", 1), CTL_ERROR);
	assert_int_equal(run("shutdown", 0), CTL_ERROR);
	assert_int_equal(run("log|w", 0), CTL_ERROR);
	assert_int_equal(run("log|bogus", 0), CTL_USAGE);
	assert_int_equal(run("doctor", 0), CTL_ERROR);
	assert_string_equal(fx.out,
	    "ok      TCP                  1.5 ms  192.0.2.1:1\nFAILED  TLS                          no\\x1b\n");
	assert_int_equal(run("wgconf", 0), CTL_SYNC);
	assert_int_equal(run("peer|a\nshutdown", 0), CTL_USAGE);
}

static void
test_texts(void **state)
{
	(void)state;
	assert_int_equal(run("hosts", 0), CTL_OK);
	assert_string_equal(fx.out, "100.64.0.1\tone\\x1b[2J\n" TEXT_END(1));
	assert_int_equal(run("hosts", 1), CTL_OK);
	assert_string_equal(fx.out, "100.64.0.1\tone\\x1b[2J\n" TEXT_END(1));
	assert_int_equal(run("wgconf|p", 0), CTL_OK);
	assert_string_equal(fx.out, "[Interface]\nPrivateKey = AA\\xff\n\n[Peer]\n" TEXT_END(1));
	assert_int_equal(run("set|hostinfo|{\n\"a\":\t1\n}", 0), CTL_OK);
	assert_string_equal(fx.out, "unchanged\n");
}

static void
test_metrics_file_is_replaced_whole(void **state)
{
	char path[100], text[100] = "", line[200];
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/m", fx.dir);
	snprintf(line, sizeof(line), "metrics|-o|%s", path);
	assert_int_equal(run(line, 0), CTL_OK);
	fd = open(path, O_RDONLY);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_string_equal(text, "tailnetd_synced 1\n# EOF\n");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(run("metrics|-o|/nonexistent/x", 0), CTL_ERROR);
	assert_int_equal(run("metrics|-x|y", 0), CTL_USAGE);
}

static void
test_watch(void **state)
{
	(void)state;
	assert_int_equal(run("watch", 0), CTL_DOWN);
	assert_non_null(strstr(fx.out, "login finished\n"));
	assert_null(strchr(fx.out, '\x1b'));
	assert_int_equal(run("wait|--for|url", 0), CTL_OK);
	assert_string_equal(fx.out, "https://old\n");
	assert_int_equal(run("wait|--for|sync|--timeout|5", 0), CTL_OK);
	assert_int_equal(run("wait|--for|bogus", 0), CTL_USAGE);
	assert_int_equal(run("wait|--timeout|0", 0), CTL_USAGE);
	assert_int_equal(run("wait|x", 0), CTL_USAGE);
}

static void
test_login(void **state)
{
	char path[100], line[200];
	int fd;

	(void)state;
	assert_int_equal(run("login", 0), CTL_OK);
	assert_string_equal(fx.out, "To log in, visit:\n\n\thttps://new/\\x1b\n\nLogged in\n");
	assert_int_equal(run("login|--no-wait", 0), CTL_OK);
	assert_null(strstr(fx.out, "Logged in"));
	assert_int_equal(run("login|auth-key=tskey-abc", 0), CTL_USAGE);

	snprintf(path, sizeof(path), "%s/key", fx.dir);
	fd = open(path, O_WRONLY | O_CREAT, 0640);
	dprintf(fd, "  tskey-abc\n\n");
	close(fd);
	snprintf(line, sizeof(line), "login|int|--no-wait|--auth-key-file|%s", path);
	assert_int_equal(run(line, 0), CTL_ERROR);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(run(line, 0), CTL_OK);
	assert_string_equal(fx.out, "");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(run(line, 0), CTL_ERROR);
}

static void
test_no_daemon(void **state)
{
	char was[200];

	(void)state;
	strlcpy(was, fx.socket, sizeof(was));
	strlcat(fx.socket, "-not", sizeof(fx.socket));
	assert_int_equal(run("status", 0), CTL_DOWN);
	assert_int_equal(run("status|--check", 1), CTL_DOWN);
	assert_int_equal(run("login", 0), CTL_DOWN);
	assert_int_equal(run("watch|netmap", 0), CTL_DOWN);
	memset(fx.socket, 'x', sizeof(fx.socket) - 1);
	fx.socket[0] = '/';
	assert_int_equal(run("status", 0), CTL_USAGE);
	strlcpy(fx.socket, was, sizeof(fx.socket));
}

static void
test_authkey_shapes(void **state)
{
	static const char *const bad[] = { "", "  \n", "a b", "a\001", "a\xc3\xa9" };
	char path[100], key[AUTHKEY_MAX + 1], err[300], big[AUTHKEY_MAX + 2];
	size_t i;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/key", fx.dir);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(fd, bad[i], strlen(bad[i])), strlen(bad[i]));
		close(fd);
		assert_int_equal(authkey_read(path, key, err, sizeof(err)), -1);
	}
	memset(big, 'k', sizeof(big));
	for (i = AUTHKEY_MAX; i <= AUTHKEY_MAX + 1; i++) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(fd, big, i), i);
		close(fd);
		assert_int_equal(authkey_read(path, key, err, sizeof(err)), i == AUTHKEY_MAX ? 0 : -1);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(authkey_read(fx.dir, key, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "not a regular file"));
	assert_int_equal(authkey_read("/dev/null", key, err, sizeof(err)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_metrics_file_is_replaced_whole),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_authkey_shapes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
