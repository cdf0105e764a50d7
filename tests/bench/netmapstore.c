/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ingest.h"
#include "dump.h"
#include "view.h"

/*
 * What the netmap store costs by itself, without network, Noise and zstd: ingest of maps of 1 KB peers, deltas, a
 * full dump.  Prints `name value unit`. Each size runs in a process of its own, so that memory figures don't mix.
 */
#define PIECE (128u << 10)

static uint64_t rng = 0x9e3779b97f4a7c15u;

static uint64_t
rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static char *
hex64(char *p)
{
	int i;

	for (i = 0; i < 4; i++)
		p += sprintf(p, "%016" PRIx64, rnd());
	return p;
}

/* A peer as a real tailnet has it: about 1 KB. */
static size_t
peer_text(char *out, int64_t id, int comma)
{
	static const char *const os[] = { "linux", "macOS", "windows", "iOS", "android" };
	static const char *const ver[] = { "6.1.0-18-amd64", "14.4.1", "10.0.22631.3296", "17.4", "14" };
	char *p = out;
	unsigned k = (unsigned)(rnd() % 5), u = (unsigned)(rnd() % 2000), port = 1024 + (unsigned)(rnd() % 60000);
	unsigned a = (unsigned)id >> 16 & 63, b = (unsigned)id >> 8 & 255, c = (unsigned)id & 255;

	if (comma)
		*p++ = ',';
	p += sprintf(p,
	    "{\"ID\":%" PRId64 ",\"StableID\":\"n%08x%04xCNTRL\",\"Name\":\"host-%06" PRId64
	    ".tail1a2b3.ts.net.\",\"User\":%u,\"Key\":\"nodekey:",
	    7000000000000000 + id, (unsigned)rnd(), (unsigned)(rnd() & 0xffff), id, 100000 + u);
	p = hex64(p);
	p += sprintf(p,
	    "\",\"KeyExpiry\":\"2099-%02u-%02uT%02u:%02u:%02uZ\",\"Machine\":\"mkey:", 1 + (unsigned)(rnd() % 12),
	    1 + (unsigned)(rnd() % 28), (unsigned)(rnd() % 24), (unsigned)(rnd() % 60), (unsigned)(rnd() % 60));
	p = hex64(p);
	p += sprintf(p, "\",\"DiscoKey\":\"discokey:");
	p = hex64(p);
	p += sprintf(p,
	    "\",\"Addresses\":[\"100.%u.%u.%u/32\",\"fd7a:115c:a1e0::%x:%x/128\"],\"AllowedIPs\":[\"100.%u.%u.%u/"
	    "32\",\"fd7a:115c:a1e0::%x:%x/128\"],",
	    64 + a, b, c, (unsigned)id >> 16 | 0x1000, ((unsigned)id & 0xffff) | 1, 64 + a, b, c,
	    (unsigned)id >> 16 | 0x1000, ((unsigned)id & 0xffff) | 1);
	p += sprintf(p,
	    "\"Endpoints\":[\"203.0.%u.%u:%u\",\"192.168.%u.%u:41641\",\"[2001:db8:%x::%x]:41641\"],\"HomeDERP\":%u,",
	    (unsigned)(rnd() & 255), (unsigned)(rnd() & 255), port, (unsigned)(rnd() & 255), (unsigned)(rnd() & 255),
	    (unsigned)(rnd() & 0xffff), (unsigned)(rnd() & 0xffff) | 1, 1 + (unsigned)(rnd() % 26));
	p += sprintf(p,
	    "\"Hostinfo\":{\"IPNVersion\":\"1.80.2-t1a2b3c4d5-g6e7f8a9b0\",\"OS\":\"%s\",\"OSVersion\":\"%s\","
	    "\"Hostname\":\"host-%06" PRId64 "\","
	    "\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":%u},{\"Proto\":\"peerapi6\",\"Port\":%u},{\"Proto\":"
	    "\"peerapi-dns-proxy\",\"Port\":1}]},",
	    os[k], ver[k], id, port, port);
	p += sprintf(p,
	    "\"Created\":\"2024-%02u-%02uT%02u:%02u:%02u.%09uZ\",\"Cap\":131,\"Tags\":[\"tag:dept%u\"],\"LastSeen\":"
	    "\"2026-03-%02uT10:%02u:00Z\",\"Online\":%s,"
	    "\"CapMap\":{\"https://tailscale.com/cap/file-sharing-target\":null,\"https://tailscale.com/cap/"
	    "is-admin\":[]}}",
	    1 + (unsigned)(rnd() % 12), 1 + (unsigned)(rnd() % 28), (unsigned)(rnd() % 24), (unsigned)(rnd() % 60),
	    (unsigned)(rnd() % 60), 100000001 + (unsigned)(rnd() % 800000000), u % 40, 1 + (unsigned)(rnd() % 28),
	    (unsigned)(rnd() % 60), rnd() & 1 ? "true" : "false");
	return (size_t)(p - out);
}

/* One as tstest/largetailnet makes them: small. */
static size_t
small_text(char *out, int64_t id, int comma)
{
	char *p = out;

	if (comma)
		*p++ = ',';
	p += sprintf(p,
	    "{\"ID\":%" PRId64 ",\"StableID\":\"n%" PRId64 "\",\"Name\":\"n%" PRId64
	    ".ts.net.\",\"User\":1,\"Key\":\"nodekey:",
	    id, id, id);
	p = hex64(p);
	p += sprintf(p,
	    "\",\"Addresses\":[\"100.%u.%u.%u/32\"],\"AllowedIPs\":[\"100.%u.%u.%u/32\"],\"Cap\":131,\"Online\":true}",
	    64 + ((unsigned)id >> 16 & 63), (unsigned)id >> 8 & 255, (unsigned)id & 255, 64 + ((unsigned)id >> 16 & 63),
	    (unsigned)id >> 8 & 255, (unsigned)id & 255);
	return (size_t)(p - out);
}

static double
seconds(clockid_t c)
{
	struct timespec t;

	clock_gettime(c, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t
status_kb(const char *what)
{
	char line[200];
	size_t n = strlen(what), v = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, what, n) == 0)
			v = strtoul(line + n + 1, NULL, 10);
	if (f != NULL)
		fclose(f);
	return v;
}

static const char self_text[] =
    "{\"Node\":{\"ID\":1,\"StableID\":\"self\",\"Name\":\"me.tail1a2b3.ts.net.\",\"User\":1,\"Key\":\"nodekey:"
    "1111111111111111111111111111111111111111111111111111111111111111\",\"Addresses\":[\"100.64.0.1/"
    "32\"]},\"Domain\":\"x\",\"Peers\":[";

static double cpu_in; /* of ingest_data(), ingest_end(), ingest_apply() only: not of making the text */

static void
put(struct ingest *g, const char *p, size_t n)
{
	double t = seconds(CLOCK_THREAD_CPUTIME_ID);

	if (ingest_data(g, p, n) == -1)
		errx(1, "refused: %s", ingest_error(g));
	cpu_in += seconds(CLOCK_THREAD_CPUTIME_ID) - t;
}

static int
finish(struct ingest *g, struct netmap_change *ch)
{
	double t = seconds(CLOCK_THREAD_CPUTIME_ID);
	int r;

	if (ingest_end(g) == -1 || (r = ingest_apply(g, time_wall(), ch)) == -1)
		errx(1, "refused: %s", ingest_error(g));
	cpu_in += seconds(CLOCK_THREAD_CPUTIME_ID) - t;
	return r;
}

static void
full_map(struct ingest *g, long n, size_t (*text)(char *, int64_t, int), size_t *bytes)
{
	static char buf[PIECE + 4096];
	struct netmap_change ch;
	size_t len = sizeof(self_text) - 1;
	long i;

	memcpy(buf, self_text, len);
	*bytes = 0;
	ingest_begin(g);
	for (i = 0; i < n; i++) {
		len += text(buf + len, 2 + i, i > 0);
		if (len >= PIECE) {
			put(g, buf, len);
			*bytes += len;
			len = 0;
		}
	}
	memcpy(buf + len, "]}", 2);
	put(g, buf, len + 2);
	*bytes += len + 2;
	(void)finish(g, &ch);
}

static void
message(struct ingest *g, const char *text)
{
	struct netmap_change ch;

	ingest_begin(g);
	put(g, text, strlen(text));
	(void)finish(g, &ch);
}

static void
deltas(struct ingest *g, long n, const char *name)
{
	static char text[8192];
	long i, rounds = 20000;
	size_t len;

	cpu_in = 0;
	for (i = 0; i < rounds; i++) {
		snprintf(text, sizeof(text), "{\"OnlineChange\":{\"%" PRId64 "\":%s}}",
		    7000000000000000 + 2 + (int64_t)(rnd() % (uint64_t)n), i & 1 ? "true" : "false");
		message(g, text);
	}
	printf("delta_online_%s %.3f us\n", name, cpu_in / (double)rounds * 1e6);
	cpu_in = 0;
	for (i = 0; i < rounds; i++) {
		snprintf(text, sizeof(text),
		    "{\"PeersChangedPatch\":[{\"NodeID\":%" PRId64
		    ",\"Endpoints\":[\"192.0.2.1:%u\"],\"DERPRegion\":%u}]}",
		    7000000000000000 + 2 + (int64_t)(rnd() % (uint64_t)n), (unsigned)(rnd() & 0xffff),
		    1 + (unsigned)(rnd() % 20));
		message(g, text);
	}
	printf("delta_patch_%s %.3f us\n", name, cpu_in / (double)rounds * 1e6);
	cpu_in = 0;
	for (i = 0; i < rounds; i++) {
		int64_t id = n + 10 + (int64_t)(rnd() % 1000000);

		len = (size_t)sprintf(text, "{\"PeersChanged\":[");
		len += peer_text(text + len, id, 0);
		snprintf(text + len, sizeof(text) - len, "]}");
		message(g, text);
		snprintf(text, sizeof(text), "{\"PeersRemoved\":[%" PRId64 "]}", 7000000000000000 + id);
		message(g, text);
	}
	printf("delta_add_remove_pair_%s %.3f us\n", name, cpu_in / (double)rounds * 1e6);
}

static void
dump_all(struct netmap *nm, const char *name)
{
	struct dump d;
	struct pb out = { 0 };
	double t = seconds(CLOCK_THREAD_CPUTIME_ID);
	size_t total = 0;

	if (dump_netmap(&d, nm) == -1)
		errx(1, "no map");
	while (dump_more(&d, &out, 128u << 10)) {
		total += out.n;
		out.n = 0;
	}
	total += out.n;
	t = seconds(CLOCK_THREAD_CPUTIME_ID) - t;
	dump_end(&d);
	pb_free(&out);
	printf("dump_%s %.1f MB/s (%zu bytes)\n", name, (double)total / t / 1e6, total);
}

static void
run(long n, int small)
{
	struct netmap *nm = netmap_new();
	struct ingest *g = ingest_new(nm);
	struct pubkey k = { { 1 } };
	char name[32];
	size_t bytes, before = status_kb("VmRSS"), after;
	double wall;

	snprintf(name, sizeof(name), "%ldk%s", n / 1000, small ? "_small" : "");
	netmap_session_begin(nm, &k, &k);
	wall = seconds(CLOCK_MONOTONIC);
	full_map(g, n, small ? small_text : peer_text, &bytes);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	after = status_kb("VmRSS");
	printf("ingest_%s_cpu %.4f s\n", name, cpu_in);
	printf("ingest_%s_rate %.1f MB/s\n", name, (double)bytes / cpu_in / 1e6);
	printf("ingest_%s_peer_json %.1f bytes\n", name, (double)bytes / (double)n);
	printf("ingest_%s_peak %zu KiB\n", name, status_kb("VmHWM"));
	printf("ingest_%s_steady %.1f bytes/peer\n", name, (double)(after - before) * 1024 / (double)n);
	printf("ingest_%s_store %.1f bytes/peer\n", name, (double)peers_bytes(nm->cur->peers) / (double)n);
	if (!small) {
		dump_all(nm, name);
		deltas(g, n, name);
		cpu_in = 0;
		netmap_session_end(nm);
		netmap_session_begin(nm, &k, &k);
		full_map(g, n, peer_text, &bytes);
		printf("reconnect_%s_cpu %.4f s\n", name, cpu_in);
		printf("reconnect_%s_peak %zu KiB\n", name, status_kb("VmHWM"));
		printf("reconnect_%s_rss_after %zu KiB\n", name, status_kb("VmRSS"));
	}
	ingest_free(g);
	netmap_free(nm);
}

int
main(int argc, char **argv)
{
	static const long sizes[] = { 1000, 10000, 100000, 250000 };
	size_t i;
	pid_t pid;

	for (i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (argc > 1 && sizes[i / 2] != atol(argv[1]))
			continue;
		fflush(stdout);
		if ((pid = fork()) == 0) {
			run(sizes[i / 2], i % 2 == 1);
			fflush(stdout);
			_exit(0);
		}
		if (pid == -1 || waitpid(pid, NULL, 0) == -1)
			err(1, "fork");
	}
	return 0;
}
