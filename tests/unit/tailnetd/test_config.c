/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"
#include "configrecord.h"
#include "unit.h"
#include "util_dir.h"

#define URL  "control-url https://hs.example.com\n"
#define MKEY "mkey:7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"

static struct config *
good(const char *text)
{
	static struct config c;
	char err[400];

	if (config_parse("t.conf", text, strlen(text), &c, err, sizeof(err)) == -1)
		fail_msg("%s", err);
	return &c;
}

static void
bad(const char *text, const char *want)
{
	struct config c, before;
	char err[400] = "";

	memset(&c, 0x5a, sizeof(c));
	before = c;
	if (config_parse("t.conf", text, strlen(text), &c, err, sizeof(err)) == 0)
		fail_msg("accepted: %s", text);
	if (strstr(err, want) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", want, err);
	assert_memory_equal(&c, &before, sizeof(c));
}

static void
test_defaults(void **unused)
{
	const struct config *c = good(URL);

	(void)unused;
	assert_string_equal(c->host, "hs.example.com");
	assert_string_equal(c->authority, "hs.example.com");
	assert_string_equal(c->prefix, "");
	assert_true(key_is_zero(&c->server_key));
	assert_int_equal(c->capver, 131);
	c = good("\xef\xbb\xbf" URL);                           /* a byte order mark, as some editors write it */
	bad("\n\xef\xbb\xbf" URL, "t.conf:2: unknown keyword"); /* there it is no such mark */
	assert_int_equal(c->listen_port, 41641);
	assert_int_equal(c->endpoints_mode, EP_AUTO);
	assert_int_equal(c->max_map_wire, 64u << 20);
	assert_int_equal(c->max_map_decoded, 512u << 20);
	assert_int_equal(c->log_level, LOG_L_INFO);
	assert_int_equal(c->best_effort | c->exit_honour | c->login_manual | c->expiry_wait | c->start_paused, 0);
	assert_int_equal(c->ephemeral | c->accept_routes | c->netmap_cache | c->transport_tls, 0);
	assert_int_equal(c->watchdog_ms, 120000); /* KA-02 */
	if (geteuid() == 0)
		assert_string_equal(c->control_group, "_tailnetd");
}

static void
test_group(void **unused)
{
	struct config c = *good(URL "control-group 0\n");
	gid_t gid = 1;

	(void)unused;
	assert_int_equal(config_find_group(&c, &gid), 0);
	assert_int_equal(gid, 0);
	snprintf(c.control_group, sizeof(c.control_group), "4294967294");
	assert_int_equal(config_find_group(&c, &gid), 0);
	assert_int_equal(gid, 4294967294u);
	snprintf(c.control_group, sizeof(c.control_group), "4294967295"); /* chown(2): leave it as it is */
	assert_int_equal(config_find_group(&c, &gid), -1);
	snprintf(c.control_group, sizeof(c.control_group), "no-such-group");
	assert_int_equal(config_find_group(&c, &gid), -1);
}

static void
test_good_values(void **unused)
{
	const struct config *c;

	(void)unused;
	c = good(
	    "# comment\n\n  control-url\t\"https://HS.Example.com:8443/base/\"  # more\r\n"
	    "server-key " MKEY "\nauth-key-file /etc/key\nca-file \"/etc/my ca\"\ntransport tls\n"
	    "proxy http://u:p%40ss@[2001:db8::1]:3128\ncapability-version 145\nlogin manual\non-expiry "
	    "wait\nstart-paused yes\n"
	    "ephemeral yes\nhostname box.example\nadvertise-routes 10.0.0.0/8 2001:db8::/32 0.0.0.0/0\n"
	    "advertise-tags tag:a tag:b-2\nlisten-port 0\nendpoints 192.0.2.1:41641 "
	    "[2001:db8::1]:1\naccept-routes yes\n"
	    "exit-node \"my \\\"exit\\\\\"\nstate-dir /s\ncontrol-socket /r/s\nchroot-dir /c\nlibexec-dir /l\n"
	    "control-group g\ncontrol-operator o\nsandbox best-effort\nserver-exit honour\nmax-map-wire 64K\n"
	    "max-map-decoded 4095M\nnetmap-cache yes\nlog-level debug\nmap-watchdog 5"); /* no newline at the end */
	assert_string_equal(c->control_url, "https://HS.Example.com:8443/base");
	assert_string_equal(c->host, "hs.example.com");
	assert_string_equal(c->authority, "hs.example.com:8443");
	assert_string_equal(c->prefix, "/base");
	assert_string_equal(c->ca_file, "/etc/my ca");
	assert_string_equal(c->proxy_host, "2001:db8::1");
	assert_string_equal(c->proxy_auth, "u:p@ss");
	assert_int_equal(c->proxy_port, 3128);
	assert_int_equal(c->capver, 145);
	assert_int_equal(c->nroutes, 3);
	assert_int_equal(c->routes[1].a.family, 6);
	assert_int_equal(c->routes[1].a.bits, 32);
	assert_int_equal(c->ntags, 2);
	assert_string_equal(c->tags[1], "tag:b-2");
	assert_int_equal(c->endpoints_mode, EP_LIST);
	assert_int_equal(c->nendpoints, 2);
	assert_int_equal(c->endpoints[1].port, 1);
	assert_string_equal(c->exit_node, "my \"exit\\");
	assert_int_equal(c->max_map_wire, 65536);
	assert_int_equal(c->max_map_decoded, 4095ull << 20);
	assert_int_equal(c->netmap_cache, 1);
	assert_int_equal(c->watchdog_ms, 5000);
	assert_int_equal(c->log_level, LOG_L_DEBUG);
	assert_true(
	    c->best_effort && c->exit_honour && c->login_manual && c->expiry_wait && c->start_paused && c->ephemeral);
	assert_int_equal(good(URL "endpoints none\n")->endpoints_mode, EP_NONE);
}

static void
test_bad_values(void **unused)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "frobnicate yes", "t.conf:2: unknown keyword \"frobnicate\"" },
		{ "Login auto", "t.conf:2: unknown keyword" },
		{ "\x01", "t.conf:2: control character" },
		{ "login auto\nlogin auto", "t.conf:3: login is given twice" },
		{ "control-url https://x", "t.conf:2: control-url is given twice" },
		{ "login", "t.conf:2: login needs a value: auto or manual" },
		{ "login auto manual", "takes one value" },
		{ "login \"auto", "quote is not closed" },
		{ "login Auto", "t.conf:2: login: auto or manual" },
		{ "server-key mkey:00", "mkey: and 64 hex digits" },
		{ "server-key nodekey:7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14", "mkey:" },
		{ "server-key mkey:0000000000000000000000000000000000000000000000000000000000000000", "zero key" },
		{ "auth-key-file key", "absolute path" },
		{ "ca-file ca", "absolute path" },
		{ "transport udp", "auto or tls" },
		{ "proxy https://p:1", "expected http://" },
		{ "proxy http://p:1/x", "expected http://" },
		{ "proxy p:1", "http://" },
		{ "capability-version 112", "113 to 145" },
		{ "capability-version 146", "113 to 145" },
		{ "capability-version x", "113 to 145" },
		{ "on-expiry never", "login or wait" },
		{ "start-paused maybe", "yes or no" },
		{ "ephemeral 1", "yes or no" },
		{ "hostname a/b", "letters" },
		{ "hostname \"\"", "letters" },
		{ "advertise-routes 10.0.0.1/8", "10.0.0.1/8" },
		{ "advertise-routes 10.0.0.0", "prefix" },
		{ "advertise-routes 10.0.0.0/33", "prefix" },
		{ "advertise-tags server", "not a tag" },
		{ "advertise-tags tag:", "not a tag" },
		{ "advertise-tags tag:1a", "not a tag" },
		{ "advertise-tags tag:a_b", "not a tag" },
		{ "listen-port 65536", "0 to 65535" },
		{ "listen-port -1", "0 to 65535" },
		{ "endpoints 192.0.2.1", "not an endpoint" },
		{ "endpoints auto 192.0.2.1:1", "\"auto\" is not an endpoint" },
		{ "endpoints 2001:db8::1:5", "not an endpoint" },
		{ "endpoints 192.0.2.1:0", "not an endpoint" },
		{ "endpoints 192.0.2.1:1 [fe80::1]:2",
		    "\"[fe80::1]:2\" is not an address that peers can reach: link-local" },
		{ "endpoints 0.0.0.0:1", "can reach: unspecified" },
		{ "accept-routes on", "yes or no" },
		{ "exit-node \"\"", "a name" },
		{ "exit-node a\xff", "t.conf:2: control character, or not UTF-8" }, /* no child would take it */
		{ "exit-node \"a\tb\"", "t.conf:2: control character, or not UTF-8" },
		{ "exit-node \xc2\x9b", "t.conf:2: control character, or not UTF-8" },
		{ "chroot-dir /\xe4", "t.conf:2: control character, or not UTF-8" },
		{ "proxy http://a:%ff@p:1", "malformed" },
		{ "proxy http://a:%c2%85@p:1", "malformed" },
		{ "state-dir s", "absolute" },
		{ "control-socket s", "absolute" },
		{ "chroot-dir c", "absolute" },
		{ "libexec-dir l", "absolute" },
		{ "sandbox off", "required or best-effort" },
		{ "server-exit yes", "refuse or honour" },
		{ "max-map-wire 63K", "64K to 1024M" },
		{ "max-map-wire 1025M", "64K to 1024M" },
		{ "max-map-wire 1G", "64K" },
		{ "max-map-decoded 4096M", "64K to 4095M" },
		{ "max-map-decoded 99999999999999999999M", "64K" },
		{ "netmap-cache on", "yes or no" },
		{ "log-level loud", "error, warn, info or debug" },
		{ "map-watchdog 0", "1 to 3600" },
		{ "control-group", "needs a value" },
	};
	char text[8192];
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), URL "%s\n", cases[i].line);
		bad(text, cases[i].want);
	}
	bad("", "t.conf:1: control-url is missing");
	bad("login auto\n# that is all\n", "t.conf:2: control-url is missing");
	bad("\ncontrol-url http://8.8.8.8\nlogin auto\n", "t.conf:2: control-url: http to a public host");
	snprintf(text, sizeof(text), URL "control-socket /%0106d\n", 0);
	good(text);
	snprintf(text, sizeof(text), URL "control-socket /%0107d\n", 0);
	bad(text, "t.conf:2: control-socket: a socket's path has at most 107 characters");
	snprintf(text, sizeof(text), URL "chroot-dir /%0254d\n", 0);
	good(text);
	snprintf(text, sizeof(text), URL "chroot-dir /%0255d\n", 0);
	bad(text, "t.conf:2: chroot-dir: longer than 255 characters");
	snprintf(text, sizeof(text), URL "sandbox best-effort\nchroot-dir /%0255d\n", 0);
	bad(text, "t.conf:3: chroot-dir: longer than 255 characters");
	bad("control-url http://10.0.0.1\n\ntransport tls\nlogin auto\n", "t.conf:3: transport tls: ");
	snprintf(text, sizeof(text), URL "exit-node %0300d\n", 1);
	bad(text, "longer than 255 characters");
	snprintf(text, sizeof(text), URL "exit-node %03000d\n", 1);
	bad(text, "t.conf:2: line is too long");
}

static void
test_too_many_values(void **unused)
{
	char text[2048] = URL "advertise-routes";
	char tags[2048] = URL "advertise-tags";
	size_t i;

	(void)unused;
	for (i = 0; i < CONFIG_MAX_ROUTES; i++)
		strlcat(text, " 10.0.0.0/8", sizeof(text));
	assert_int_equal(good(text)->nroutes, CONFIG_MAX_ROUTES);
	strlcat(text, " 10.0.0.0/8", sizeof(text));
	bad(text, "more than 64 prefixes");
	for (i = 0; i < 90; i++)
		strlcat(tags, " tag:a", sizeof(tags));
	bad(tags, "too many values");
}

static void
test_nul_byte(void **unused)
{
	static const char text[] = URL "login\0 auto\n";
	struct config c;
	char err[200];

	(void)unused;
	assert_int_equal(config_parse("n", text, sizeof(text) - 1, &c, err, sizeof(err)), -1);
	assert_string_equal(err, "n:2: NUL byte in the line");
}

/* rows: DIAL-02 DIAL-03 */
static void
test_ports(void **unused)
{
	static const struct {
		const char *text;
		unsigned url, clear, tls;
	} cases[] = {
		{ "control-url https://hs.example.com\n", 443, 80, 443 },
		{ "control-url https://hs.example.com:8443\n", 8443, 0, 8443 },
		{ "control-url https://127.0.0.1:8443\n", 8443, 0, 8443 },
		{ "control-url http://hs.example.com\nserver-key " MKEY "\n", 80, 80, 443 },
		{ "control-url http://hs.example.com:8080\nserver-key " MKEY "\n", 8080, 8080, 443 },
		{ "control-url http://127.0.0.1:8080\n", 8080, 8080, 0 },
		{ "control-url http://localhost\n", 80, 80, 0 },
		{ "control-url http://[fd00::1]:8080\n", 8080, 8080, 0 },
		{ "control-url https://hs.example.com\ntransport tls\n", 443, 0, 443 },
		{ "control-url http://hs.example.com\nserver-key " MKEY "\ntransport tls\n", 80, 0, 443 },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config *c = good(cases[i].text);

		if (c->url_port != cases[i].url || c->clear_port != cases[i].clear || c->tls_port != cases[i].tls)
			fail_msg("%s: %u %u %u", cases[i].text, c->url_port, c->clear_port, c->tls_port);
	}
	bad("control-url http://10.0.0.1\ntransport tls\n", "transport tls");
}

static void
test_http_needs_private_host_or_key(void **unused)
{
	static const char *const fine[] = { "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "127.9.9.9",
		"localhost", "[::1]", "[fd12::1]" };
	static const char *const refused[] = { "hs.example.com", "192.0.2.1", "172.32.0.1", "11.0.0.1", "[2001:db8::1]",
		"localhost.example.com", "100.64.0.1", "10.1.2.3.example.com" };
	char text[200];
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		snprintf(text, sizeof(text), "control-url http://%s\n", fine[i]);
		assert_true(good(text)->host_is_private);
	}
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(text, sizeof(text), "control-url http://%s\n", refused[i]);
		bad(text, "http to a public host needs `server-key`, or use https");
		snprintf(text, sizeof(text), "control-url http://%s\nserver-key " MKEY "\n", refused[i]);
		good(text);
		snprintf(text, sizeof(text), "control-url https://%s\n", refused[i]);
		good(text);
	}
}

static void
print(const struct config *c, char *out, size_t size)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	assert_int_equal(config_print(c, &b), 0);
	assert_true(buf_len(&b) < size);
	memcpy(out, buf_ptr(&b), buf_len(&b));
	out[buf_len(&b)] = '\0';
	buf_free(&b);
}

static void
test_round_trip(void **unused)
{
	static const char *const texts[] = {
		URL,
		"control-url http://[fd00::1]:8080/a/b\nserver-key " MKEY
		"\nauth-key-file \"/etc/a key#1\"\nadvertise-routes 10.0.0.0/8 ::/0\n"
		"advertise-tags tag:a tag:b\nendpoints 192.0.2.1:1 [2001:db8::1]:65535\nlisten-port 0\nexit-node \"a "
		"\\\"b\\\\ c\"\n"
		"max-map-wire 65537\nmax-map-decoded 100K\nlog-level warn\nhostname h\ncontrol-operator bob\nsandbox "
		"best-effort\n",
		URL "endpoints none\ntransport tls\nlogin manual\n",
	};
	static char one[65536], two[65536];
	static struct config c;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		c = *good(texts[i]);
		print(&c, one, sizeof(one));
		assert_memory_equal(&c, good(one), sizeof(c));
		print(good(one), two, sizeof(two));
		assert_string_equal(one, two);
		assert_null(config_reload_blocker(&c, good(one)));
	}
}

static void
test_secrets_are_masked(void **unused)
{
	static char one[65536], two[65536];

	(void)unused;
	print(good(URL "proxy http://user:hunter2@proxy:3128\n"), one, sizeof(one));
	assert_null(strstr(one, "hunter2"));
	assert_null(strstr(one, "user"));
	assert_non_null(strstr(one, "\nproxy http://********@proxy:3128\n"));
	print(good(one), two, sizeof(two));
	assert_string_equal(one, two);
}

/* --- what leaves the parent (decisions: marked keywords only, never a secret) --- */

/* Every member of the children's record that is set from the configuration, by name: new ones are added on purpose. */
static void
test_what_children_are_sent(void **unused)
{
#define NAME_NO(m)
#define NAME_PARTS(m)
#define NAME_CHILD(m)                                               #m " "
#define NAME_WIRE(m)                                                #m " "
#define ROW(keyword, member, type, range, value, def, flags, child) NAME_##child(member)
#define TEXT(m, size)                                               #m " "
#define NUMBER(m, min, max)                                         #m " "
	static const char *const names = KEYWORD_PARTS(TEXT, NUMBER) KEYWORDS(ROW);
#undef ROW

	(void)unused;
	assert_string_equal(names,
	    "host authority prefix proxy_auth https url_port clear_port tls_port via_proxy "
	    "capver accept_routes exit_node max_map_wire max_map_decoded watchdog_ms ");
}

static int
holds(const void *mem, size_t n, const char *text)
{
	return memmem(mem, n, text, strlen(text)) != NULL;
}

/* A value of each keyword that differs from all others: the record contains those above, and no others. */
static void
test_record_of_children(void **unused)
{
	static const char *const secret[] = { "KEYFILE", "CAFILE", "HOSTNAME", "STATEDIR", "SOCKET", "CHROOT",
		"LIBEXEC", "GROUP", "OPERATOR", "tag:", "PROXYHOST", "proxyhost" };
	const struct config *c = good(
	    "control-url HTTPS://Hs.Example.COM:8443/x/\nserver-key " MKEY "\nauth-key-file /KEYFILE\nca-file /CAFILE\n"
	    "transport tls\nproxy http://user:hunter2@PROXYHOST:3128\ncapability-version 113\nhostname HOSTNAME\n"
	    "advertise-tags tag:secret\naccept-routes yes\nexit-node EXITNODE\nstate-dir /STATEDIR\ncontrol-socket "
	    "/SOCKET\n"
	    "chroot-dir /CHROOT\nlibexec-dir /LIBEXEC\ncontrol-group GROUP\ncontrol-operator OPERATOR\n"
	    "max-map-wire 65537\nmax-map-decoded 65538\nmap-watchdog 7\n");
	struct ipc_config m;
	size_t i;

	(void)unused;
	memset(&m, 0xff, sizeof(m));
	config_record(c, &m);
	assert_int_equal(m.host_len, strlen("hs.example.com"));
	assert_memory_equal(m.host, "hs.example.com", m.host_len);
	assert_int_equal(m.authority_len, strlen("hs.example.com:8443"));
	assert_memory_equal(m.authority, "hs.example.com:8443", m.authority_len);
	assert_int_equal(m.prefix_len, 2);
	assert_memory_equal(m.prefix, "/x", 2);
	assert_int_equal(m.proxy_auth_len, strlen("user:hunter2"));
	assert_memory_equal(m.proxy_auth, "user:hunter2", m.proxy_auth_len);
	assert_int_equal(m.https, 1);
	assert_int_equal(m.url_port, 8443);
	assert_int_equal(m.clear_port, 0);
	assert_int_equal(m.tls_port, 8443);
	assert_int_equal(m.via_proxy, 1);
	assert_int_equal(m.capver, 113);
	assert_int_equal(m.accept_routes, 1);
	assert_int_equal(m.exit_node_len, strlen("EXITNODE"));
	assert_memory_equal(m.exit_node, "EXITNODE", m.exit_node_len);
	assert_int_equal(m.watchdog_ms, 7000);
	assert_int_equal(m.max_map_wire, 65537);
	assert_int_equal(m.max_map_decoded, 65538);
	assert_int_equal(m.report_steps, 0);
	for (i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		assert_false(holds(&m, sizeof(m), secret[i]));
	assert_false(holds(&m, sizeof(m),
	    (const char[]){ (char)c->server_key.b[0], (char)c->server_key.b[1], (char)c->server_key.b[2],
		(char)c->server_key.b[3], 0 }));
}

static void
test_reload(void **unused)
{
	static struct config c;

	(void)unused;
	c = *good(URL);
	assert_null(config_reload_blocker(&c, good(URL "log-level debug\nhostname x\nlisten-port 5\n")));
	assert_string_equal(config_reload_blocker(&c, good("control-url https://other\n")), "control-url");
	assert_string_equal(config_reload_blocker(&c, good(URL "state-dir /x\n")), "state-dir");
	assert_string_equal(config_reload_blocker(&c, good(URL "sandbox best-effort\n")), "sandbox");
}

static void
test_load_file(void **unused)
{
	struct dir d;
	struct config c;
	char err[700], path[512], other[512];

	(void)unused;
	dir_make(&d);
	dir_path(&d, "conf", path);
	assert_int_equal(config_load(path, 1, &c, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "No such file"));
	assert_int_equal(config_load(d.path, 1, &c, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "not a regular file"));
	assert_int_equal(mkfifo(dir_path(&d, "fifo", other), 0600), 0);
	assert_int_equal(config_load(other, 1, &c, err, sizeof(err)), -1);
	dir_write(&d, "conf", URL "x y\n", sizeof(URL "x y\n") - 1, 0644);
	assert_int_equal(config_load(path, 1, &c, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "/conf:2: unknown keyword \"x\""));
	dir_write(&d, "conf", URL, sizeof(URL) - 1, 0644);
	assert_int_equal(config_load(path, 1, &c, err, sizeof(err)), 0);
	dir_remove(&d);
}

static void
key_refused(const struct config *c, const char *want)
{
	char out[64], err[700] = "";
	size_t n = 0;

	assert_int_equal(config_read_authkey(c, out, sizeof(out), &n, err, sizeof(err)), -1);
	if (strstr(err, want) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", want, err);
	assert_null(strstr(err, "tskey"));
}

/* rows: REG-12 */
static void
test_auth_key_file(void **unused)
{
	static struct config c;
	struct dir d;
	char out[64], err[700], other[512];
	size_t n = 0;

	(void)unused;
	dir_make(&d);
	c = *good(URL);
	dir_path(&d, "key", c.auth_key_file);
	key_refused(&c, "No such file");
	dir_write(&d, "key", " \n\ttskey-auth-1\r\n \n", 19, 0600);
	assert_int_equal(config_read_authkey(&c, out, sizeof(out), &n, err, sizeof(err)), 0);
	assert_int_equal(n, 12);
	assert_memory_equal(out, "tskey-auth-1", 12);
	dir_write(&d, "key", "tskey", 5, 0640);
	key_refused(&c, "chmod 600");
	dir_write(&d, "key", "tskey", 5, 0604);
	key_refused(&c, "chmod 600");
	dir_write(&d, "key", " \n", 2, 0600);
	key_refused(&c, "is empty");
	dir_write(&d, "key", "", 0, 0600);
	key_refused(&c, "is empty");
	dir_write(&d, "key", "tskey-1\ntskey-2\n", 16, 0600);
	key_refused(&c, "one key on one line");
	dir_write(&d, "key", "tskey\0x", 7, 0600);
	key_refused(&c, "one key on one line");
	memset(out, 'k', sizeof(out));
	dir_write(&d, "key", out, sizeof(out), 0600);
	key_refused(&c, "too large for a key");
	dir_write(&d, "key", "tskey", 5, 0600);
	assert_int_equal(symlink(c.auth_key_file, dir_path(&d, "link", other)), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(c.auth_key_file, 12345, (gid_t)-1), 0);
		key_refused(&c, "is owned by uid 12345");
	}
	dir_path(&d, "link", c.auth_key_file);
	key_refused(&c, "symbolic link");
	snprintf(c.auth_key_file, sizeof(c.auth_key_file), "%s", d.path);
	key_refused(&c, "not a regular file");
	dir_remove(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_good_values),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_http_needs_private_host_or_key),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_secrets_are_masked),
		cmocka_unit_test(test_what_children_are_sent),
		cmocka_unit_test(test_record_of_children),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_load_file),
		cmocka_unit_test(test_auth_key_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
