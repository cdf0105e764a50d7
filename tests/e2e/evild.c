/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "evil.h"

/*
 * A compromised mapd: starts like an honest one and then violates one rule of the channel, that of the
 * scenario EVIL of evil_list.h (security.md 5.3).
 */
static struct ipc_map_start map; /* the last one we were given */
static uint32_t map_id;

static void
forged_self(uint32_t id)
{
	struct ipc_self s;

	memset(&s, 0, sizeof(s));
	s.id = 666;
	memset(&s.key, 0x66, sizeof(s.key));
	s.key_expiry = 1;
	s.expired = 1;
	memcpy(s.name, "evil.example", 12);
	s.name_len = 12;
	send_msg(IPC_SELF, id, &s, sizeof(s));
}

static void
descriptors(void)
{
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof(int) * 250)];
	} c;
	struct hdr h = { .type = IPC_PONG, .len = sizeof(struct ipc_empty), .generation = generation };
	struct iovec v = { &h, sizeof(h) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf) };
	struct ipc_empty e = { 0 };
	int *fds = (int *)(void *)CMSG_DATA(&c.h);
	unsigned i, k;

	for (k = 0; k < 20; k++) {
		c.h.cmsg_len = CMSG_LEN(sizeof(int) * 250);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		for (i = 0; i < 250; i++)
			fds[i] = 0;
		must(sendmsg(3, &m, 0) > 0);
		put(&e, sizeof(e));
	}
}

static void
deltas(uint32_t source)
{
	static uint64_t last;
	uint64_t seq = map.seq_base + ++last; /* it only ever grows */
	struct {
		struct ipc_deltas d;
		char room[64];
	} m;
	struct ipc_delta_rec rec = { .seq = seq, .full = 1 };
	size_t head = offsetof(struct ipc_deltas, data);

	memset(&m, 0, sizeof(m));
	m.d.seq = seq;
	m.d.peers = 5;
	m.d.source = source;
	m.d.data_len = sizeof(rec);
	memcpy(m.d.data, &rec, sizeof(rec));
	send_msg(IPC_DELTAS, map_id, &m, head + sizeof(rec));
}

static void
cache_done(unsigned type, uint32_t id, uint32_t result, uint64_t size, uint64_t seq)
{
	struct ipc_cache_done d;

	memset(&d, 0, sizeof(d));
	d.result = result;
	d.size = size;
	d.seq = seq;
	d.received = INT64_MIN;
	send_msg(type, id, &d, sizeof(d));
}

/* CACHE_WRITE came. */
static void
evil_write(uint32_t id)
{
	char junk[65536];
	unsigned i;

	memset(junk, 0x5a, sizeof(junk));
	switch ((int)EVIL) {
	case EVILD_CACHE_NOTHING_WRITTEN: /* says that it has written, and has not */
		cache_done(IPC_CACHE_WRITTEN, id, IPC_CACHE_OK, 1000, 1);
		break;
	case EVILD_CACHE_WRITTEN_TWICE: /* twice */
		cache_done(IPC_CACHE_WRITTEN, id, IPC_CACHE_NOTHING, 0, 1);
		cache_done(IPC_CACHE_WRITTEN, id, IPC_CACHE_NOTHING, 0, 1);
		break;
	case EVILD_CACHE_OTHER_ID: /* another's id */ cache_done(IPC_CACHE_WRITTEN, id + 1, IPC_CACHE_OK, 0, 1); break;
	case EVILD_CACHE_BAD_RESULT: /* what is that */ cache_done(IPC_CACHE_WRITTEN, id, 99, 0, 1); break;
	case EVILD_CACHE_SIZE_ABOVE_LIMIT: /* more than a cache may have */
		cache_done(IPC_CACHE_WRITTEN, id, IPC_CACHE_OK, IPC_CACHE_MAX + UINT64_C(1), 1);
		break;
	case EVILD_CACHE_RUBBISH:         /* rubbish, and a Seq after which nothing would ever be saved again */
	case EVILD_CACHE_RUBBISH_GOES_ON: /* rubbish that continues after it was accepted */
		for (i = 0; i < 4; i++)
			must(write(passed, junk, sizeof(junk)) == sizeof(junk));
		cache_done(IPC_CACHE_WRITTEN, id, IPC_CACHE_OK, 4 * sizeof(junk), UINT64_MAX);
		for (i = 0; EVIL == EVILD_CACHE_RUBBISH_GOES_ON && i < 4; i++) {
			usleep(50000);
			must(write(passed, junk, sizeof(junk)) == sizeof(junk));
		}
		break;
	case EVILD_CACHE_WRITTEN_ALL_THE_TIME:
		/* as much as the file takes; says each time that it was nothing, or failed, and that there is more */
		for (i = 0; i < 128; i++)
			must(write(passed, junk, sizeof(junk)) == sizeof(junk));
		cache_done(IPC_CACHE_WRITTEN, id, id % 2 ? IPC_CACHE_NOTHING : IPC_CACHE_FAILED, 0, 1);
		deltas(IPC_SRC_LIVE);
		break;
	default: /* no answer at all */ break;
	}
}

/* CACHE_LOAD came: an old map in which everything is over. */
static void
evil_load(uint32_t id)
{
	if (EVIL == EVILD_CACHE_ANSWERED) { /* looks like the answer to something else, too */
		cache_done(IPC_CACHE_LOADED, id, IPC_CACHE_OK, 1, UINT64_MAX);
		forged_self(IPC_ID_NONE);
		deltas(IPC_SRC_CACHED);
		forged_self(map_id);
	} else if (EVIL == EVILD_CACHE_UNANSWERED) { /* never answers, but calls it cached */
		forged_self(IPC_ID_NONE);
		deltas(IPC_SRC_CACHED);
	}
}

/* After READY and MAP_START. */
static void
evil(void)
{
	struct ipc_stream s;
	struct ipc_empty e = { 0 };
	struct ipc_dial dial = { .kind = IPC_DIAL_CLEAR };
	unsigned i;

	memset(&s, 0, sizeof(s));
	s.what = IPC_STREAM_OPEN;
	switch ((enum evild_scenario)EVIL) {
	case EVILD_UNKNOWN_TYPE: /* a type that is not in the list */ send_msg(IPC_NTYPES + 5, 1, &e, sizeof(e)); break;
	case EVILD_WRONG_DIRECTION: /* the parent's own */ send_msg(IPC_STOP, 0, &e, sizeof(e)); break;
	case EVILD_WRONG_ROLE: { /* authd's */
		struct ipc_key_result k;

		memset(&k, 0, sizeof(k));
		k.ok = 1;
		memset(&k.key, 0x77, sizeof(k.key));
		send_msg(IPC_KEY_RESULT, 1, &k, sizeof(k));
		break;
	}
	case EVILD_SHORT: send_msg(IPC_STREAM, map_id, &s, sizeof(s) - 1); break;
	case EVILD_LONG: {
		char more[sizeof(s) + 1] = { 0 };

		memcpy(more, &s, sizeof(s));
		send_msg(IPC_STREAM, map_id, more, sizeof(more));
		break;
	}
	case EVILD_LENGTH_4G: put_len(IPC_LOG, 0, &e, sizeof(e), UINT32_MAX); break;
	case EVILD_GENERATION: /* another child's generation */
		generation++;
		evil_stream(map_id, IPC_STREAM_LIVE);
		break;
	case EVILD_WRONG_STATE: { /* READY again */
		struct ipc_hello h;

		memset(&h, 0, sizeof(h));
		say_ready(&h);
		break;
	}
	case EVILD_HALF_HEADER: /* half a header */ put("\1\0\0", 3); _exit(0);
	case EVILD_FLOOD: /* a flood */
		for (i = 0; i < 100000; i++)
			send_msg(IPC_PONG, 0, &e, sizeof(e));
		break;
	case EVILD_TEXT_TOO_LONG: /* a text longer than its field */
		s.err_len = 60000;
		send_msg(IPC_STREAM, map_id, &s, sizeof(s));
		break;
	case EVILD_TEXT_CONTROLS: /* control characters in a text for people */
		memcpy(s.err, "a\033[2Jb\n", 7);
		s.err_len = 7;
		s.what = IPC_STREAM_CLOSED;
		send_msg(IPC_STREAM, map_id, &s, sizeof(s));
		break;
	case EVILD_BAD_VALUE: /* what kind of stream state is that */
		s.what = 99;
		send_msg(IPC_STREAM, map_id, &s, sizeof(s));
		break;
	case EVILD_BAD_DIAL: /* a port that is not there */
		dial.kind = 77;
		send_msg(IPC_DIAL, 1, &dial, sizeof(dial));
		break;
	case EVILD_TAIL: /* a tail that is not what it says */
	{
		struct ipc_log l;

		memset(&l, 0, sizeof(l));
		l.data_len = 500;
		send_msg(IPC_LOG, 0, &l, offsetof(struct ipc_log, data) + 10);
		break;
	}
	case EVILD_UNASKED_CACHE_WRITTEN: /* an answer without a request */
		cache_done(IPC_CACHE_WRITTEN, 1, IPC_CACHE_OK, 1, 1);
		break;
	case EVILD_UNASKED_CACHE_LOADED: cache_done(IPC_CACHE_LOADED, 1, IPC_CACHE_OK, 1, 1); break;
	case EVILD_CACHED_UNASKED: /* a cached netmap out of nowhere */ deltas(IPC_SRC_CACHED); break;
	case EVILD_CACHED_AND_SYNCED: /* synchronized and cached */
		evil_stream(map_id, IPC_STREAM_OPEN);
		evil_stream(map_id, IPC_STREAM_LIVE);
		deltas(IPC_SRC_CACHED);
		break;
	case EVILD_OTHER_ID: /* from here on: correct in form, but without any effect */
		evil_stream(map_id + 1000, IPC_STREAM_LIVE);
		forged_self(map_id + 1000);
		break;
	case EVILD_FORGED_SELF: /* live without a stream, and a self that is a different node */
		forged_self(map_id);
		evil_stream(map_id, IPC_STREAM_OPEN);
		evil_stream(map_id, IPC_STREAM_LIVE);
		forged_self(map_id);
		break;
	case EVILD_HANDSHAKES: { /* answers for handshakes that were not begun, with points of low order */
		struct ipc_hs_finish f;

		memset(&f, 0, sizeof(f));
		for (i = 0; i < 50; i++)
			send_msg(IPC_HS_FINISH, i, &f, sizeof(f));
		send_msg(IPC_HS_BEGIN, 77, &(struct ipc_hs_begin){ 0 }, sizeof(struct ipc_hs_begin));
		send_msg(IPC_HS_FINISH, 77, &f, sizeof(f));
		break;
	}
	case EVILD_EXIT_WISH: { /* the server's request, forged */
		struct ipc_exit_wish w = { 3 };

		send_msg(IPC_EXIT_WISH, map_id, &w, sizeof(w));
		break;
	}
	case EVILD_DESCRIPTORS: /* descriptors the other way */ descriptors(); break;
	case EVILD_LOG_ESCAPES: { /* escapes for the log */
		struct ipc_log l;
		static const char text[] = "\033]0;owned\007\033[31m\r\nparent: fake line";

		memset(&l, 0, sizeof(l));
		l.level = 1;
		l.data_len = sizeof(text) - 1;
		memcpy(l.data, text, sizeof(text) - 1);
		for (i = 0; i < 1000; i++)
			send_msg(IPC_LOG, 0, &l, offsetof(struct ipc_log, data) + sizeof(text) - 1);
		break;
	}
	case EVILD_DIALS: /* as many connections as it likes */
		for (i = 1; i < 500; i++) {
			dial.kind = 1 + i % 3;
			dial.candidate = i % 50;
			send_msg(IPC_DIAL, i, &dial, sizeof(dial));
		}
		break;
	case EVILD_LIMITS: { /* here and below: many times what makes a line in the log */
		struct ipc_limit l;

		memset(&l, 0, sizeof(l));
		for (i = 0; i < sizeof(l.text); i += 2)
			memcpy(l.text + i, "\303\251", 2); /* no character begins where the parent cuts it */
		l.text_len = sizeof(l.text);
		for (i = 0; i < 600; i++) {
			l.text[0] = (char)('a' + i % 7);
			l.text[1] = (char)('a' + i / 7 % 26);
			send_msg(IPC_LIMIT, map_id, &l, sizeof(l));
		}
		break;
	}
	case EVILD_EXIT_WISHES: {
		struct ipc_exit_wish w = { 3 };

		for (i = 0; i < 600; i++)
			send_msg(IPC_EXIT_WISH, map_id, &w, sizeof(w));
		break;
	}
	case EVILD_DIAL_PLANS: {
		struct ipc_dial_plan plan;
		unsigned k;

		memset(&plan, 0, sizeof(plan));
		plan.n = IPC_MAX_PLAN;
		for (i = 0; i < 600; i++) {
			for (k = 0; k < IPC_MAX_PLAN; k++) {
				plan.e[k].has_ip = 1;
				plan.e[k].ip.family = 4;
				plan.e[k].ip.bits = 32;
				plan.e[k].ip.addr[0] = 127;
				plan.e[k].ip.addr[3] = (uint8_t)i;
			}
			send_msg(IPC_DIAL_PLAN, map_id, &plan, sizeof(plan));
		}
		break;
	}
	case EVILD_HANGS_UP: /* closes its channel and stays */
		close(3);
		for (;;)
			pause();
	case EVILD_CACHE_WRITTEN_TWICE: /* something to save */
	case EVILD_CACHE_OTHER_ID:
	case EVILD_CACHE_BAD_RESULT:
	case EVILD_CACHE_SIZE_ABOVE_LIMIT:
	case EVILD_CACHE_NOTHING_WRITTEN:
	case EVILD_CACHE_RUBBISH:
	case EVILD_CACHE_RUBBISH_GOES_ON:
	case EVILD_CACHE_NO_ANSWER:
	case EVILD_CACHE_WRITTEN_ALL_THE_TIME: deltas(IPC_SRC_LIVE); break;
	case EVILD_CACHE_ANSWERED:
	case EVILD_CACHE_UNANSWERED: break;
	case EVILD_NEVER_READS:
		for (;;)
			pause();
	}
}

int
main(void)
{
	union evil_msg u;
	struct hdr h;

	while (next_msg(&h, &u)) {
		if (h.type == IPC_CACHE_WRITE)
			evil_write(h.id);
		else if (h.type == IPC_CACHE_LOAD)
			evil_load(h.id);
		else if (h.type == IPC_MAP_START) {
			map = u.map;
			map_id = h.id;
			evil();
		}
	}
	return 0;
}
