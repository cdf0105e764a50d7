/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <netinet/in.h>

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "childsend.h"
#include "hostreport.h"
#include "util_parentsim.h"
#include "text.h"

/*
 * The parent's request tables (dispatch*.c, D7) against children that say what they like.  The input is a little
 * program: after a byte of configuration, operations { kind, type, id, n, n bytes of filling }.  Most messages are
 * made well-formed, or nothing would get past ipc.c, which fuzz_ipc looks at.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_OPS  64
#define MAX_HELD 8

struct hdr {
	uint16_t type, flags;
	uint32_t len, id, generation;
};

struct run {
	struct psim *s;
	int held[MAX_HELD];
	unsigned nheld;
	int raw[3]; /* the children's ends: authd, mapd, the doctor's authd */
};

static struct child *
child_of(struct run *r, int i)
{
	struct supervisor *s = r->s->p.sup;

	return i == 0 ? &s->authd : i == 1 ? &s->mapd : &s->doctor;
}

/* What the parent says is read and thrown away, descriptors and all. */
static void
drain(int fd)
{
	char text[16384], control[256];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *cm;
	int got;

	while (recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0) {
		for (cm = CMSG_FIRSTHDR(&m); cm != NULL; cm = CMSG_NXTHDR(&m, cm)) {
			memcpy(&got, CMSG_DATA(cm), sizeof(got));
			close(got);
		}
		m.msg_controllen = sizeof(control);
	}
}

static void
turn(struct run *r)
{
	ps_run(r->s);
	drain(r->raw[0]);
	drain(r->raw[1]);
	drain(r->raw[2]);
	ps_run(r->s);
}

#define TEXT(m, field) clean((m)->field, &(m)->field##_len, sizeof((m)->field))

static void
clean(char *s, uint16_t *len, size_t cap)
{
	size_t i;

	*len = (uint16_t)(*len % (cap < 40 ? cap : 40));
	for (i = 0; i < *len; i++)
		if ((unsigned char)s[i] < ' ' || (unsigned char)s[i] > '~')
			s[i] = (char)('a' + (unsigned char)s[i] % 26);
}

static void
well_formed_result(struct ipc_reg_result *m)
{
	m->outcome = m->outcome % 10;
	m->cause %= CAUSE_COUNT + 1;
	TEXT(m, login_name);
	TEXT(m, display_name);
	TEXT(m, profile_pic);
	TEXT(m, url);
	TEXT(m, err);
	if (m->url_len >= 8)
		memcpy(m->url, "https://", 8);
}

static void
well_formed_self(const struct parent *p, struct ipc_self *m, int ours)
{
	uint32_t i;

	if (ours)
		m->key = *keyring_public(p->keys, SLOT_NODE);
	m->naddrs %= 5;
	for (i = 0; i < m->naddrs; i++) {
		m->addrs[i].family = m->addrs[i].family % 2 ? 4 : 6;
		m->addrs[i].bits %= 36;
	}
	TEXT(m, stable_id);
	TEXT(m, name);
	TEXT(m, login_name);
	TEXT(m, display_name);
}

/* Records whose numbers agree with what the parent knows. */
static size_t
well_formed_deltas(const struct parent *p, struct ipc_deltas *m, size_t n)
{
	struct ipc_delta_rec rec;
	size_t at = 0, i, k = n % 4, ids;

	m->source %= 5;
	m->peers %= 1000;
	m->online = m->peers / 2;
	m->seq = p->netmap.seq;
	for (i = 0; i < k; i++) {
		memcpy(&rec, m->data + at, sizeof(rec));
		rec.seq = ++m->seq;
		rec.full %= 2;
		rec.nchanged = rec.full ? 0 : rec.nchanged % 3;
		rec.nremoved = rec.full ? 0 : rec.nremoved % 3;
		memcpy(m->data + at, &rec, sizeof(rec));
		ids = (size_t)(rec.nchanged + rec.nremoved) * sizeof(int64_t);
		at += sizeof(rec) + ids;
	}
	m->data_len = (uint16_t)at;
	return ipc_head_len(IPC_DELTAS) + at;
}

static void
well_formed_plan(struct ipc_dial_plan *m)
{
	uint32_t i;

	m->n %= IPC_MAX_PLAN + 1;
	for (i = 0; i < m->n; i++) {
		m->e[i].has_ip = 1;
		m->e[i].ip.family = m->e[i].ip.family % 2 ? 4 : 6;
	}
}

static size_t
well_formed(const struct parent *p, unsigned type, void *m, size_t len, size_t n)
{
	switch (type) {
	case IPC_READY:
		if (n % 8 != 7)
			memcpy(((struct ipc_ready *)m)->build, build_id, BUILD_ID_LEN);
		break;
	case IPC_LOG:
		((struct ipc_log *)m)->level %= LOG_L_DEBUG + 1;
		TEXT((struct ipc_log *)m, data);
		return ipc_head_len(IPC_LOG) + ((struct ipc_log *)m)->data_len;
	case IPC_DIAL:
		((struct ipc_dial *)m)->kind = 1 + ((struct ipc_dial *)m)->kind % 3;
		((struct ipc_dial *)m)->candidate %= 4;
		break;
	case IPC_KEY_RESULT:
		((struct ipc_key_result *)m)->ok %= 2;
		((struct ipc_key_result *)m)->cause %= CAUSE_COUNT + 1;
		TEXT((struct ipc_key_result *)m, err);
		break;
	case IPC_REG_RESULT: well_formed_result(m); break;
	case IPC_STREAM:
		((struct ipc_stream *)m)->what %= 5;
		((struct ipc_stream *)m)->cause %= CAUSE_COUNT + 1;
		TEXT((struct ipc_stream *)m, err);
		break;
	case IPC_SELF: well_formed_self(p, m, n % 2 != 0); break;
	case IPC_DELTAS: return well_formed_deltas(p, m, n);
	case IPC_LITE: TEXT((struct ipc_lite *)m, err); break;
	case IPC_LIMIT: TEXT((struct ipc_limit *)m, text); break;
	case IPC_BROWSE:
		TEXT((struct ipc_browse *)m, url);
		if (((struct ipc_browse *)m)->url_len >= 8)
			memcpy(((struct ipc_browse *)m)->url, "https://", 8);
		break;
	case IPC_DIAL_PLAN: well_formed_plan(m); break;
	default: break;
	}
	return len;
}

static uint32_t
pick_id(const struct run *r, const struct child *c, uint8_t id)
{
	if (id == 0)
		return c->role == IPC_AUTHD ? c->work.id : r->s->p.login.map_id;
	if (id == 1)
		return c->work.id;
	return id - 2u;
}

static void
say(struct run *r, const uint8_t *op, const uint8_t *fill, size_t n, int honest)
{
	static union {
		uint8_t b[sizeof(struct hdr) + IPC_MAX_MSG + 64];
		uint64_t align;
	} u, body;
	unsigned type = IPC_READY + op[1] % (IPC_NTYPES - IPC_READY);
	int i = op[0] % 3;
	struct child *c = child_of(r, i);
	struct hdr h = { .type = (uint16_t)type, .id = pick_id(r, c, op[2]), .generation = c->generation };
	size_t len = ipc_head_len(type), k;

	memset(body.b, 0, sizeof(body.b));
	for (k = 0; n > 0 && k < IPC_MAX_MSG; k++)
		body.b[k] = fill[k % n];
	if (!honest && type == IPC_DELTAS) { /* a tail at least, of whatever it is */
		struct ipc_deltas *d = (struct ipc_deltas *)(void *)body.b;

		d->source = IPC_SRC_LIVE;
		d->peers = d->online = 0;
		d->data_len = op[3];
		len += d->data_len;
	}
	if (honest)
		len = well_formed(&r->s->p, type, body.b, len, op[3]);
	h.len = (uint32_t)len;
	memcpy(u.b, &h, sizeof(h));
	memcpy(u.b + sizeof(h), body.b, len);
	(void)!send(r->raw[i], u.b, sizeof(h) + len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* id 7: a client that waits for the answer while other things happen. */
static void
command(struct run *r, uint8_t which, uint8_t id)
{
	static const char *const lines[] = { "login", "login interactive", "login auth-key=tskey-auth-fuzz", "logout",
		"logout force", "pause", "unpause", "reconnect", "metrics", "netmap", "status", "processes",
		"server-key accept mkey:2222222222222222222222222222222222222222222222222222222222222222",
		"set hostinfo {\"App\":\"x\"}", "watch netmap", "wgconf private", "peers", "doctor", "peer x", "hosts",
		"watch" };

	const char *line = lines[which % (sizeof(lines) / sizeof(lines[0]))];

	if (id == 7 && r->nheld < MAX_HELD) {
		int fd = r->held[r->nheld++] = ps_connect(r->s);

		(void)!send(fd, line, strlen(line), MSG_NOSIGNAL);
		(void)!send(fd, "\n", 1, MSG_NOSIGNAL);
		ps_run(r->s);
	} else
		(void)ps_ask(r->s, line);
}

static void
operate(struct run *r, const uint8_t *op, const uint8_t *fill, size_t n)
{
	static const uint8_t zero;
	int i = op[0] % 3, k;

	switch (op[0] / 3 % 8) {
	case 0: /* 200: many of them while the other end does not read */
		for (k = 0; k < (n >= 200 ? 300 : 1); k++)
			command(r, op[1], op[2]);
		break;
	case 1:
		/* it ends and a new one starts; or it closes its channel first, and the parent acts by itself */
		if (op[1] % 2 != 0) {
			shutdown(r->raw[i], SHUT_RDWR);
			ps_run(r->s);
			childsend_new_config(r->s->p.sup);
			supervise_ping(r->s->p.sup);
			supervise_look(r->s->p.sup);
			hostreport_refresh(r->s->p.report);
			if (op[1] % 4 != 1)
				break;
		}
		ps_detach(child_of(r, i), r->raw[i]);
		r->raw[i] = ps_attach(r->s, child_of(r, i));
		break;
	case 2: (void)!send(r->raw[i], fill, n, MSG_NOSIGNAL | MSG_DONTWAIT); break;
	case 3: say(r, op, fill, n, 0); break;
	case 4: /* the same again and again: rates */
		for (n = n > 0 ? n : 1; n < 255; n += 4)
			say(r, op, &zero, 1, 1);
		break;
	case 6: ps_time_passes(r->s); break;
	default: say(r, op, fill, n, 1); break;
	}
	turn(r);
}

/* So that connecting works, too: the port of ps_config()'s control-url.  Not root: it does not. */
static void
listen_once(void)
{
	static int fd = -1;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int peer;

	if (fd == -1) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!bind(fd, (struct sockaddr *)&sin, sizeof(sin));
		(void)!listen(fd, 128);
	}
	while ((peer = accept(fd, NULL, NULL)) != -1)
		close(peer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const conf[] = {
		"server-key mkey:1111111111111111111111111111111111111111111111111111111111111111\n", "",
		"server-exit honour\nlogin manual\n", "ca-file /nonexistent\non-expiry wait\n",
		"auth-key-file /nonexistent\n",
		"server-key mkey:1111111111111111111111111111111111111111111111111111111111111111\nca-file "
		"/etc/passwd\n"
	};
	struct run r;
	unsigned i;

	if (size < 1)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	listen_once();
	memset(&r, 0, sizeof(r));
	r.s = ps_new(conf[data[0] % 6]);
	for (i = 0; i < 3; i++)
		r.raw[i] = ps_attach(r.s, child_of(&r, (int)i));
	data++;
	size--;
	for (i = 0; i < MAX_OPS && size >= 4; i++) {
		size_t n = data[3] < size - 4 ? data[3] : size - 4;

		operate(&r, data, data + 4, n);
		data += 4 + n;
		size -= 4 + n;
		r.s->p.stopping = 0;
	}
	ps_need(strncmp(ps_ask(r.s, "status"), "{\"v\":1,", 7) == 0, "no status afterwards");
	while (r.nheld > 0)
		close(r.held[--r.nheld]);
	ps_run(r.s);
	r.s->p.stopping = 2;
	for (i = 0; i < 3; i++)
		ps_detach(child_of(&r, (int)i), r.raw[i]);
	ps_free(r.s);
	return 0;
}
