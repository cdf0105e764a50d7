/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MSGS_H
#define MSGS_H

#include <stdint.h>

#include "build.h"
#include "cause.h"
#include "commands.h"
#include "config_msg.h"
#include "keytext.h"
#include "metrics.h"
#include "netmap_fields.h"

/*
 * The list of all messages on a channel between the parent and a child (security.md D7).  One row gives the enum
 * value and the name in logs, the handler, the direction, which child it is for, whether it carries a descriptor, the
 * size rule, the payload struct, whether that holds secrets, and the channel states in which it may arrive.  ipc.c
 * enforces these rules before a handler runs.  A new message is its struct and its row here, its handler at one end
 * and its sender at the other.
 *
 *   handler    what an end that may receive it must define, or it does not link.  The tables are made from the list:
 *              common/child has child_on_HANDLER for IPC_TO_CHILD, authd and mapd have authd_on_ and mapd_on_HANDLER,
 *              the parent has dispatch_HANDLER and, for the authd of a doctor run, parent_doctor_HANDLER
 *   d          P2C parent to child, C2P child to parent
 *   r          A authd, M mapd, AM both
 *   fd         NOFD / FD (must have one) / OPTFD.  Only P2C: the child-to-parent direction never carries descriptors
 *   size       EXACT: sizeof(struct); TAIL: a fixed head followed by 0..n bytes of tail (n = the struct's `data` array)
 *   secret     SECRET: both ends wipe each buffer that held it, the sender's payload too
 *   states     START before READY was sent; IDLE; BUSY (authd: an operation runs; mapd: a stream is wanted)
 *
 * Integers are in host order: both ends are the same build on the same machine (build id in HELLO and READY).
 * Identity is the channel: no message names a child, pid, path or descriptor number.
 * Text is length-prefixed; the receiver checks length and content, never trusts a terminator.
 */

#define IPC_MAX_MSG	16384		/* header included */
#define IPC_ID_NONE	0

enum ipc_role { IPC_AUTHD = 1, IPC_MAPD = 2 };

/* --- sizes of the texts that travel --- */
#define IPC_HOST_MAX	254
#define IPC_PATH_MAX	256
#define IPC_URL_MAX	2048
#define IPC_ERR_MAX	400
#define IPC_AUTHKEY_MAX	1024
#define IPC_NAME_MAX	256
#define IPC_CHUNK	8192
#define IPC_LINE_MAX	4096
#define IPC_MAX_ENDPOINTS 64
#define IPC_MAX_ADDRS	16
#define IPC_MAX_PLAN	16

/* --- parent to child --- */
struct ipc_hello {
	char		build[BUILD_ID_LEN];
	uint32_t	role;			/* enum ipc_role */
	uint32_t	log_level;
	uint32_t	sandbox_required;	/* 0: best effort */
	uint32_t	drop_ids;
	uint32_t	uid, gid;
	IPC_TEXT(chroot_dir, IPC_PATH_MAX);	/* length 0: no chroot */
};

/* A text longer than one message, in order; the last chunk has off + data_len == total. */
struct ipc_chunk {
	uint32_t	total;
	uint32_t	off;
	uint16_t	data_len;		/* must equal the tail's length */
	char		data[IPC_CHUNK];
};

struct ipc_empty { uint32_t zero; };
struct ipc_log_level { uint32_t level; };

enum ipc_dial_kind { IPC_DIAL_CLEAR = 1, IPC_DIAL_TLS = 2, IPC_DIAL_URL = 3 /* the URL's own port: /key, HEAD ping */ };
struct ipc_dialled {				/* id = that of DIAL; with a connected descriptor iff ok */
	uint32_t	ok;
	uint32_t	err;			/* errno, or 0 when text says more */
	IPC_TEXT(text, IPC_ERR_MAX);		/* for people: what was tried and why it failed, or the address */
};

#define NOISE_INIT_LEN	101
#define NOISE_RESP_BODY	48
struct ipc_hs_init { uint8_t msg[NOISE_INIT_LEN]; };
struct ipc_hs_keys { uint8_t tx[32], rx[32], hash[32]; };
struct ipc_hs_fail { uint32_t reason; };	/* enum ipc_hs_reason */
enum ipc_hs_reason { IPC_HS_BAD_TAG = 1, IPC_HS_BAD_POINT, IPC_HS_UNKNOWN_ID, IPC_HS_NO_SERVER_KEY, IPC_HS_BUSY };

enum ipc_reg_op {
	IPC_REG_LOGIN = 1, IPC_REG_FOLLOWUP = 2, IPC_REG_LOGOUT = 3,
	IPC_REG_PROBE = 4	/* connect, ask nothing: OK when HTTP/2 works (doctor) */
};
struct ipc_register {				/* id names the operation; the answer carries it */
	uint32_t	op;
	uint32_t	ephemeral;
	struct pubkey	node_key, old_node_key;	/* old may be zero */
	IPC_TEXT(followup, IPC_URL_MAX);
	IPC_TEXT(auth_key, IPC_AUTHKEY_MAX);	/* often empty */
};

struct ipc_map_start {				/* id names the map session; its STREAM, SELF, DELTAS... have it */
	struct pubkey	node_key, machine_key;
	uint64_t	seq_base;		/* last netmap Seq known to the parent; a new mapd continues from it */
	uint32_t	prepare_only;		/* 1: dial and shake hands, no map request yet (warm start); the real
						 * MAP_START follows with the same id */
};
struct ipc_map_stop { uint32_t drop_netmap; };	/* 1: forget the netmap (logout); 0: keep it, marked stale */

struct ipc_dial_time { uint32_t delay_ms, timeout_ms; };
/* The dial plan as a child may know it: candidates 1..n, without their addresses. */
struct ipc_dial_times {
	uint32_t	n;
	struct ipc_dial_time e[IPC_MAX_PLAN];
};

enum ipc_ep_type { IPC_EP_UNKNOWN, IPC_EP_LOCAL, IPC_EP_STUN, IPC_EP_PORTMAPPED, IPC_EP_STUN4LOCAL, IPC_EP_EXPLICIT };
struct ipc_endpoint { uint8_t addr[16]; uint16_t port; uint8_t family; /* 4 or 6 */ uint8_t type; };
struct ipc_addr { uint8_t addr[16]; uint8_t family; uint8_t bits; uint8_t pad[2]; };
#define IPC_MAX_LOCAL	64
struct ipc_map_params {				/* what a lite update reports besides Hostinfo (HOSTINFO chunks) */
	uint32_t	generation;		/* grows with every change of params or hostinfo; named in LITE */
	struct pubkey	disco_key;
	uint32_t	ip_forwarding_broken;
	uint32_t	refresh;		/* 1: send an update even if the server has these values (LITE-05) */
	uint32_t	n;
	struct ipc_endpoint ep[IPC_MAX_ENDPOINTS];
	/* not reported: all addresses of this host, each with the length of its network (interface.md 7) */
	uint32_t	nlocal;
	struct ipc_addr	local[IPC_MAX_LOCAL];
};

enum ipc_query_class { IPC_CLASS_R = 1, IPC_CLASS_W = 2, IPC_CLASS_ROOT = 3 };
enum ipc_query_verb {		/* the commands whose tail is QUERY, and `watch netmap` */
	IPC_Q_NONE,
#define IPC_Q_SPLIT(id)
#define IPC_Q_WHOLE(id)
#define IPC_Q_QUERY(id) IPC_Q_##id,
#define C(id, name, class, min, max, tail, usage, run, args, help, words) IPC_Q_##tail(id)
#define T(name, run, args, help, words)
	COMMANDS(C, T)
#undef C
#undef T
	IPC_Q_WATCH_NETMAP,
	IPC_Q_COUNT
};
/* The descriptor of a control client is attached; mapd answers and closes it. */
struct ipc_query {
	uint32_t	verb;			/* the parent has parsed and authorised the verb */
	uint32_t	class;
	uint32_t	uid;
	uint32_t	listen_port;		/* for wgconf: `listen-port`, or the port that the parent chose */
	uint32_t	private_written;	/* wgconf private: the parent has written the [Interface] part */
	uint64_t	events;			/* watch netmap: number of events the parent has sent already */
	uint16_t	hostname_len;		/* for hosts: what this system is called; no peer's */
	char		hostname[IPC_HOST_MAX];
	uint16_t	data_len;		/* of the arguments, no newline; must equal the tail's length */
	char		data[IPC_LINE_MAX];
};
/*
 * The netmap cache (`netmap-cache`): the parent owns the file, its name and the decision; mapd is passed descriptors,
 * CACHE_LOAD's open for reading, CACHE_WRITE's for writing and empty.  Each has an id and is answered exactly once, by
 * CACHE_LOADED or CACHE_WRITTEN with that id, also after CACHE_FORGET; at most one of each kind is in progress.
 * CACHE_FORGET: cancel what is in progress, and drop the netmap if it is from a cache.  A netmap from a cache is
 * reported like any change, with source CACHED and without id (SELF, DELTAS).
 */
#define IPC_CACHE_MAX	(64u << 20)	/* bytes of the file; mapd's RLIMIT_FSIZE */
#define IPC_PROFILE_LEN	32
struct ipc_cache_load {
	uint8_t		profile[IPC_PROFILE_LEN];	/* hash of the control URL */
	struct pubkey	node_key, machine_key;	/* a cache of other keys is foreign */
	uint64_t	seq_base;		/* as in MAP_START */
	uint64_t	size;			/* of the file */
};
struct ipc_cache_write {
	uint8_t		profile[IPC_PROFILE_LEN];
	struct pubkey	node_key;		/* only a netmap of this key is written */
};

/*
 * EVENT: chunks of one event body, e.g. `"event":"status","loginFinished":false,"status":{...}`.  id = IPC_ID_NONE: for
 * every `watch netmap` client; else only for the one whose QUERY had (or will next have) that id.
 */

/*
 * KEY_FETCH and REGISTER each get exactly one KEY_RESULT or REG_RESULT with their id, also after CANCEL (whose id
 * names the operation) and when the next operation replaces them: then not ok / TRANSPORT with the text "cancelled".
 * The parent's end stays BUSY until it has every pending result, so none can meet an idle channel; a late CANCEL is
 * no error. DIAL_CANCEL names a DIAL or an HS_BEGIN: its answer is no longer needed, a half-open handshake can be
 * forgotten. MAP_START{prepare_only}, then MAP_START with the same id: CONNECTED is sent once.  MAP_STOP is answered
 * with STREAM CLOSED and an empty err if a stream or a prepared connection existed, else not at all.  DELTAS without
 * records: peers, online or source.
 */

/* --- child to parent --- */
struct ipc_ready { char build[BUILD_ID_LEN]; uint32_t layers; };	/* layers: enum sandbox_layer bits */
#define IPC_LOG_RATE	50			/* lines a second, at either end (security.md D12) */
#define IPC_LOG_BURST	200
struct ipc_log { uint32_t level; uint16_t data_len; char data[512]; };
/*
 * candidate: 0 = DNS, n = n-th entry of the dial plan, IPC_DIAL_BESIDE = an address of the name that is not tried yet.
 * attempt: the child's own number of the connection; its HS_BEGIN has the same.
 */
#define IPC_DIAL_BESIDE	UINT32_MAX
struct ipc_dial { uint32_t kind; uint32_t candidate; uint32_t attempt; };
struct ipc_hs_begin { uint32_t attempt; };
struct ipc_hs_finish { uint8_t body[NOISE_RESP_BODY]; };

enum ipc_step_what { IPC_STEP_TLS = 1, IPC_STEP_UPGRADE, IPC_STEP_NOISE, IPC_STEP_HTTP2 };
struct ipc_step { uint32_t what; uint32_t kind; };	/* reached by a connection; kind: enum ipc_dial_kind */

struct ipc_key_result {				/* answer to KEY_FETCH */
	uint32_t	ok;
	uint32_t	http_status;		/* 0 without an answer */
	uint32_t	too_old;		/* the server has no noise key */
	uint32_t	cause;			/* enum cause, of err */
	struct pubkey	key;
	IPC_TEXT(err, IPC_ERR_MAX);
};

enum ipc_reg_outcome {
	IPC_REG_OK = 1,		/* registered (or logged out) */
	IPC_REG_URL,		/* visit url */
	IPC_REG_KEY_EXPIRED,	/* NodeKeyExpired */
	IPC_REG_REFUSED,	/* RegisterResponse.Error: err is the server's text */
	IPC_REG_RATE_LIMITED,	/* HTTP 429: retry_after_ms */
	IPC_REG_HTTP,		/* other status */
	IPC_REG_BAD_ANSWER,	/* not JSON, too large, asks for something this client can't do */
	IPC_REG_TRANSPORT	/* could not reach the server or lost it */
};
struct ipc_reg_result {				/* secret: the URL is a way in */
	uint32_t	outcome;
	uint32_t	http_status;
	uint32_t	retry_after_ms;
	uint32_t	machine_authorized;
	uint32_t	cause;			/* enum cause, of err; CAUSE_SERVER_KEY: protocol.md C.4 */
	int64_t		user_id, login_id;
	IPC_TEXT(login_name, IPC_NAME_MAX);
	IPC_TEXT(display_name, IPC_NAME_MAX);
	IPC_TEXT(profile_pic, IPC_URL_MAX);
	IPC_TEXT(url, IPC_URL_MAX);
	IPC_TEXT(err, IPC_ERR_MAX);
};

enum ipc_stream_what {
	IPC_STREAM_CONNECTED = 1,	/* Noise up, nothing asked yet */
	IPC_STREAM_OPEN,		/* map request answered 200 */
	IPC_STREAM_LIVE,		/* first netmap of this stream is in the store */
	IPC_STREAM_CLOSED		/* over: err says why (empty: after MAP_STOP) */
};
struct ipc_stream {
	uint32_t	what;
	uint32_t	http_status;
	uint32_t	cause;			/* enum cause, of err */
	IPC_TEXT(err, IPC_ERR_MAX);
};

struct ipc_self {				/* sent when anything in it changed */
	int64_t		id, user_id;
	struct pubkey	key;
	int64_t		key_expiry;		/* Unix seconds; TIME_GO_ZERO = never */
	uint32_t	expired;		/* Node.Expired */
	uint32_t	machine_authorized;
	uint32_t	naddrs;
	struct ipc_addr	addrs[IPC_MAX_ADDRS];
	IPC_TEXT(stable_id, IPC_NAME_MAX);
	IPC_TEXT(name, IPC_NAME_MAX);
	IPC_TEXT(login_name, IPC_NAME_MAX);
	IPC_TEXT(display_name, IPC_NAME_MAX);
};

/*
 * What happened to the netmap since the last one, as consecutive records in data:
 *   struct ipc_delta_rec, then nchanged int64 ids, then nremoved int64 ids   (unaligned: memcpy)
 * A record with full=1 has no ids and means: the whole map is new.
 */
struct ipc_delta_rec { uint64_t seq; uint32_t full; uint32_t fields; uint32_t nchanged; uint32_t nremoved; };
#define IPC_DELTA_IDS	1500		/* a change of more peers is sent as full=1 */
enum netmap_field {
#define F(member, name, type, none, kind) NF_##member,
	NETMAP_FIELDS(F)
#undef F
	NF_COUNT
};
enum netmap_derived {
	ND_BEFORE = NF_COUNT - 1,
#define D(name) ND_##name,
	NETMAP_DERIVED(D)
#undef D
};
enum ipc_field {		/* bits of fields */
#define F(member, name, type, none, kind) IPC_F_##member = 1 << NF_##member,
	NETMAP_FIELDS(F)
#undef F
#define D(name) IPC_F_##name = 1 << ND_##name,
	NETMAP_DERIVED(D)
#undef D
};
struct ipc_deltas {
	uint64_t	seq;			/* netmap Seq after the last record */
	uint32_t	peers, online;
	uint32_t	source;			/* enum ipc_source */
	uint16_t	data_len;
	char		data[IPC_MAX_MSG - 128];
};
enum ipc_source { IPC_SRC_NONE, IPC_SRC_CACHED, IPC_SRC_STALE, IPC_SRC_LIVE };

enum ipc_cache_result {
	IPC_CACHE_OK = 1,
	IPC_CACHE_NOTHING,	/* load: there is a netmap already; write: no netmap of this key; or cancelled */
	IPC_CACHE_BAD,		/* load: damaged, or of another version */
	IPC_CACHE_FOREIGN,	/* load: of another control server or key */
	IPC_CACHE_FAILED,	/* a system call failed */
	IPC_CACHE_TOO_LARGE
};
struct ipc_cache_done {				/* CACHE_LOADED, CACHE_WRITTEN */
	uint32_t	result;
	uint64_t	size;			/* bytes read, or of the file as written */
	uint64_t	seq;			/* written: netmap Seq of what is in it */
	int64_t		received;		/* loaded: Unix second at which the netmap was received */
	IPC_TEXT(err, IPC_ERR_MAX);		/* why not OK */
};

/* Sent at most once a second while they change, and in answer to COUNTERS_REQ. */
struct ipc_counters {
#define C(member) uint64_t member;
	COUNTERS_MAPD(C)
#undef C
	uint64_t	last_message_mono_ms;	/* CLOCK_MONOTONIC, 0 = never */
};

struct ipc_lite { uint32_t generation; uint32_t ok; uint32_t http_status; IPC_TEXT(err, IPC_ERR_MAX); };
struct ipc_limit { IPC_TEXT(text, IPC_ERR_MAX); };	/* limit of security.md D15; after LIVE if that one was used */
struct ipc_control_time { int64_t sec; };
struct ipc_browse { IPC_TEXT(url, IPC_URL_MAX); };
struct ipc_exit_wish { int32_t code; };
struct ipc_plan_entry { struct ipc_addr ip; uint32_t has_ip; uint32_t ace; uint32_t delay_ms, timeout_ms; };
struct ipc_dial_plan { uint32_t n; struct ipc_plan_entry e[IPC_MAX_PLAN]; };

/*
 * One list for each direction and receiver or sender.  d and r are passed through: the direction and the role of the
 * list.
 *	name		handler		    fd     size   struct		   secret   states (receiver's)
 */
#define IPC_TO_CHILD_(X, d, r) \
	X(HELLO,         hello,         d, r, NOFD,  EXACT, struct ipc_hello,       PLAIN,  START) \
	X(CONFIG,        config,        d, r, NOFD,  EXACT, struct ipc_config,      SECRET, START|IDLE|BUSY) \
	X(CA,            ca,            d, r, FD,    EXACT, struct ipc_empty,       PLAIN,  START|IDLE|BUSY) \
	X(HOSTINFO,      hostinfo,      d, r, NOFD,  TAIL,  struct ipc_chunk,       PLAIN,  IDLE|BUSY) \
	X(LOG_LEVEL,     log_level,     d, r, NOFD,  EXACT, struct ipc_log_level,   PLAIN,  IDLE|BUSY) \
	X(STOP,          stop,          d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  START|IDLE|BUSY) \
	X(PING,          ping,          d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY) \
	X(DIALLED,       dialled,       d, r, OPTFD, EXACT, struct ipc_dialled,     PLAIN,  IDLE|BUSY) \
	X(HS_INIT,       hs_init,       d, r, NOFD,  EXACT, struct ipc_hs_init,     PLAIN,  IDLE|BUSY) \
	X(HS_KEYS,       hs_keys,       d, r, NOFD,  EXACT, struct ipc_hs_keys,     SECRET, IDLE|BUSY) \
	X(HS_FAIL,       hs_fail,       d, r, NOFD,  EXACT, struct ipc_hs_fail,     PLAIN,  IDLE|BUSY) \
	X(DIAL_TIMES,    dial_times,    d, r, NOFD,  EXACT, struct ipc_dial_times,  PLAIN,  IDLE|BUSY)
#define IPC_TO_AUTHD_(X, d, r) \
	X(KEY_FETCH,     key_fetch,     d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY) \
	X(REGISTER,      register,      d, r, NOFD,  EXACT, struct ipc_register,    SECRET, IDLE|BUSY) \
	X(CANCEL,        cancel,        d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY)
#define IPC_TO_MAPD_(X, d, r) \
	X(MAP_START,     map_start,     d, r, NOFD,  EXACT, struct ipc_map_start,   PLAIN,  IDLE|BUSY) \
	X(MAP_STOP,      map_stop,      d, r, NOFD,  EXACT, struct ipc_map_stop,    PLAIN,  IDLE|BUSY) \
	X(MAP_PARAMS,    map_params,    d, r, NOFD,  EXACT, struct ipc_map_params,  PLAIN,  IDLE|BUSY) \
	X(QUERY,         query,         d, r, FD,    TAIL,  struct ipc_query,       PLAIN,  IDLE|BUSY) \
	X(EVENT,         event,         d, r, NOFD,  TAIL,  struct ipc_chunk,       PLAIN,  IDLE|BUSY) \
	X(COUNTERS_REQ,  counters_req,  d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY) \
	X(CACHE_LOAD,    cache_load,    d, r, FD,    EXACT, struct ipc_cache_load,  PLAIN,  IDLE|BUSY) \
	X(CACHE_WRITE,   cache_write,   d, r, FD,    EXACT, struct ipc_cache_write, PLAIN,  IDLE|BUSY) \
	X(CACHE_FORGET,  cache_forget,  d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY)
#define IPC_FROM_CHILD_(X, d, r) \
	X(READY,         ready,         d, r, NOFD,  EXACT, struct ipc_ready,       PLAIN,  START) \
	X(LOG,           log,           d, r, NOFD,  TAIL,  struct ipc_log,         PLAIN,  START|IDLE|BUSY) \
	X(PONG,          pong,          d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY) \
	X(NEED_CA,       need_ca,       d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY) \
	X(DIAL,          dial,          d, r, NOFD,  EXACT, struct ipc_dial,        PLAIN,  IDLE|BUSY) \
	X(DIAL_CANCEL,   dial_cancel,   d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY) \
	X(HS_BEGIN,      hs_begin,      d, r, NOFD,  EXACT, struct ipc_hs_begin,    PLAIN,  IDLE|BUSY) \
	X(HS_FINISH,     hs_finish,     d, r, NOFD,  EXACT, struct ipc_hs_finish,   PLAIN,  IDLE|BUSY)
#define IPC_FROM_DOCTOR_(X, d, r) \
	X(STEP,          step,          d, r, NOFD,  EXACT, struct ipc_step,        PLAIN,  BUSY)
#define IPC_FROM_AUTHD_(X, d, r) \
	X(KEY_RESULT,    key_result,    d, r, NOFD,  EXACT, struct ipc_key_result,  PLAIN,  BUSY) \
	X(REG_RESULT,    reg_result,    d, r, NOFD,  EXACT, struct ipc_reg_result,  SECRET, BUSY)
#define IPC_FROM_MAPD_(X, d, r) \
	X(STREAM,        stream,        d, r, NOFD,  EXACT, struct ipc_stream,      PLAIN,  IDLE|BUSY) \
	X(SELF,          self,          d, r, NOFD,  EXACT, struct ipc_self,        PLAIN,  IDLE|BUSY) \
	X(DELTAS,        deltas,        d, r, NOFD,  TAIL,  struct ipc_deltas,      PLAIN,  IDLE|BUSY) \
	X(COUNTERS,      counters,      d, r, NOFD,  EXACT, struct ipc_counters,    PLAIN,  IDLE|BUSY) \
	X(LITE,          lite,          d, r, NOFD,  EXACT, struct ipc_lite,        PLAIN,  IDLE|BUSY) \
	X(LIMIT,         limit,         d, r, NOFD,  EXACT, struct ipc_limit,       PLAIN,  IDLE|BUSY) \
	X(CONTROL_TIME,  control_time,  d, r, NOFD,  EXACT, struct ipc_control_time, PLAIN,  IDLE|BUSY) \
	X(BROWSE,        browse,        d, r, NOFD,  EXACT, struct ipc_browse,      PLAIN,  IDLE|BUSY) \
	X(EXIT_WISH,     exit_wish,     d, r, NOFD,  EXACT, struct ipc_exit_wish,   PLAIN,  IDLE|BUSY) \
	X(DIAL_PLAN,     dial_plan,     d, r, NOFD,  EXACT, struct ipc_dial_plan,   PLAIN,  IDLE|BUSY) \
	X(CACHE_LOADED,  cache_loaded,  d, r, NOFD,  EXACT, struct ipc_cache_done,  PLAIN,  IDLE|BUSY) \
	X(CACHE_WRITTEN, cache_written, d, r, NOFD,  EXACT, struct ipc_cache_done,  PLAIN,  IDLE|BUSY) \
	X(UNWATCHED,     unwatched,     d, r, NOFD,  EXACT, struct ipc_empty,       PLAIN,  IDLE|BUSY)

#define IPC_TO_CHILD(X)	IPC_TO_CHILD_(X, P2C, AM)
#define IPC_TO_AUTHD(X)	IPC_TO_AUTHD_(X, P2C, A)
#define IPC_TO_MAPD(X)	IPC_TO_MAPD_(X, P2C, M)
#define IPC_FROM_CHILD(X)	IPC_FROM_CHILD_(X, C2P, AM)
#define IPC_FROM_DOCTOR(X)	IPC_FROM_DOCTOR_(X, C2P, A)	/* authd of a doctor run: besides IPC_FROM_AUTHD */
#define IPC_FROM_AUTHD(X)	IPC_FROM_AUTHD_(X, C2P, A)
#define IPC_FROM_MAPD(X)	IPC_FROM_MAPD_(X, C2P, M)
#define IPC_MESSAGES(X)	\
	IPC_TO_CHILD(X) IPC_TO_AUTHD(X) IPC_TO_MAPD(X) IPC_FROM_CHILD(X) IPC_FROM_DOCTOR(X) IPC_FROM_AUTHD(X) \
	IPC_FROM_MAPD(X)

enum ipc_type {
	IPC_NONE = 0,
#define X(name, ...) IPC_##name,
	IPC_MESSAGES(X)
#undef X
	IPC_NTYPES
};

#endif
