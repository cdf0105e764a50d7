/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>
#include <unistd.h>

#include "cclient.h"
#include "command.h"
#include "command_query.h"
#include "control_int.h"
#include "eventwatch.h"
#include "hostreport.h"
#include "log.h"
#include "status.h"

#define READERS_QUEUE      (16u * 1024)
#define READERS_QUEUE_ROOT (32u * 1024)
#define READERS_FDS        53
#define READERS_FDS_ROOT   106

struct ipc *
command_mapd(const struct cclient *cc)
{
	return cc->ctl->ops.mapd(cc->ctl->ops.arg);
}

/*
 * Readers must not fill mapd's channel while mapd is busy: beyond the limit of ipc.c it would be killed for that, and
 * each reader that waits there holds a descriptor.  Root's readers may use more of it; the rest is for the parent's
 * messages.
 */
static int
channel_full(const struct cclient *cc, const struct ipc *c)
{
	if (cc->class == IPC_CLASS_ROOT)
		return ipc_queued(c) > READERS_QUEUE_ROOT || ipc_queued_fds(c) > READERS_FDS_ROOT;
	return ipc_queued(c) > READERS_QUEUE || ipc_queued_fds(c) > READERS_FDS;
}

int
command_mapd_full(const struct cclient *cc)
{
	return channel_full(cc, command_mapd(cc));
}

/* Whether mapd can take a reader now; if not, the client has been answered. */
static int
mapd_takes(struct cclient *cc, enum ipc_query_verb verb)
{
	const struct control_ops *o = &cc->ctl->ops;
	const struct ipc *mapd = command_mapd(cc);

	if (mapd == NULL || (o->netmap->source == IPC_SRC_NONE && verb != IPC_Q_WATCH_NETMAP)) {
		cclient_error(cc, ERR_NO_NETMAP,
		    login_logged_in(o->login) ? "there is no netmap yet" : "there is no netmap: not logged in");
		return 0;
	}
	if (channel_full(cc, mapd)) {
		cclient_error(cc, ERR_BUSY, "too many readers wait; try again");
		return 0;
	}
	return 1;
}

/* mapd cannot ask the system. */
static void
put_hostname(struct ipc_query *q)
{
	char name[sizeof(q->hostname) + 1];

	if (gethostname(name, sizeof(name)) == -1)
		return;
	name[sizeof(name) - 1] = '\0';
	q->hostname_len = ipc_text_put(q->hostname, sizeof(q->hostname), name, strlen(name));
}

/* Hands a netmap reader's connection to mapd; no byte of the netmap passes here (D4). */
static void
hand_over(struct cclient *cc, enum ipc_query_verb verb, const char *arg, int private_written)
{
	static uint32_t last_id;
	const struct control_ops *o = &cc->ctl->ops;
	struct control *c = cc->ctl;
	struct ipc *mapd = command_mapd(cc);
	struct ipc_query q;
	struct buf body;
	size_t n = strlen(arg);
	uint32_t id;

	if (!mapd_takes(cc, verb))
		return;
	memset(&q, 0, sizeof(q));
	q.verb = (uint32_t)verb;
	q.class = (uint32_t)cc->class;
	q.uid = (uint32_t)cc->uid;
	q.listen_port = hostreport_listen_port(o->report);
	q.private_written = (uint32_t)private_written;
	put_hostname(&q);
	q.data_len = ipc_text_put(q.data, sizeof(q.data), arg, n);
	if (++last_id == IPC_ID_NONE)
		last_id++;
	id = last_id; /* sending may hand over another client meanwhile */
	q.events = cc->events.seq;
	if (verb == IPC_Q_WATCH_NETMAP)
		watchers_at_mapd(c, mapd, id);
	if (verb == IPC_Q_WATCH_NETMAP && q.events == 0) { /* the first event is the present status */
		buf_init(&body, 1u << 20);
		status_first_body(c, &body);
		ipc_send_chunks(mapd, IPC_EVENT, id, (const char *)buf_ptr(&body), buf_len(&body));
		buf_free(&body);
	}
	ipc_send(mapd, IPC_QUERY, id, &q, ipc_head_len(IPC_QUERY) + q.data_len, cclient_release(cc));
}

void
command_watch_netmap(struct cclient *cc)
{
	hand_over(cc, IPC_Q_WATCH_NETMAP, "", 0);
}

static void
run_wgconf(struct cclient *cc, struct command_line *cl)
{
	static const char interface[] = "[Interface]\n";
	const struct control_ops *o = &cc->ctl->ops;
	int private;

	if (cl->n == 1 && !cl->private) {
		command_usage(cc, COMMAND_wgconf);
		return;
	}
	if (cl->private && cc->class != IPC_CLASS_ROOT) {
		cclient_error(cc, ERR_DENIED, "the private key is for root only");
		return;
	}
	/*
	 * Left out when the netmap is that of another node key of this host, as in the middle of a rotation: its peers
	 * expect that one (protocol.md K.2).
	 */
	private =
	    cl->private && o->netmap->have_self && key_equal(&o->netmap->self.key, keyring_public(o->keys, SLOT_NODE));
	if (private) {
		if (!mapd_takes(cc, IPC_Q_wgconf))
			return; /* before the key is written: only the rest may follow it */
		/* The key goes from the keyring to this descriptor; mapd writes the rest (security.md D2). */
		log_info("the node private key is given to uid %u (wgconf private)", (unsigned)cc->uid);
		if (write(cc->fd, interface, sizeof(interface) - 1) != sizeof(interface) - 1 ||
		    keys_wgconf_private(o->keys, cc->fd) == -1) {
			cclient_close(cc);
			return;
		}
	}
	hand_over(cc, IPC_Q_wgconf, "", private);
}

void
command_query(struct cclient *cc, struct command_line *cl)
{
	static const enum ipc_query_verb verbs[COMMAND_COUNT] = {
#define VERB_SPLIT(id)
#define VERB_WHOLE(id)
#define VERB_QUERY(id)                                                    [COMMAND_##id] = IPC_Q_##id,
#define C(id, name, class, min, max, tail, usage, run, args, help, words) VERB_##tail(id)
#define T(name, run, args, help, words)
		COMMANDS(C, T)
#undef C
#undef T
	};

	if (cl->id == COMMAND_wgconf)
		run_wgconf(cc, cl);
	else
		hand_over(cc, verbs[cl->id], cl->args[0], 0);
}
