/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef STORE_H
#define STORE_H

#include "ingest.h"
#include "netmap.h"
#include "node.h"
#include "peers.h"

/*
 * The inside of the netmap, shared by netmap.c, apply.c, ingest.c and the readers (dump.c and the exports).
 * Everything in a view is immutable once it is published; views and what they hold are counted.
 */
struct blob {				/* one packed value, or a struct node */
	unsigned	 refs;
	uint32_t	 is_node;
	size_t		 n;
	_Alignas(8) uint8_t p[];
};
struct blob *blob_new(const void *p, size_t n);		/* NULL: out of memory */
struct blob *blob_ref(struct blob *b);
void	 blob_unref(struct blob *b);			/* NULL is fine */
int	 blob_equal(const struct blob *a, const struct blob *b);

/* Named values in byte order of their names: filter chunks, display messages. */
struct blobmap {
	unsigned	 refs;
	size_t		 n;
	size_t		 bytes;			/* of all names and values */
	struct blobmap_entry { struct blob *name, *value; } e[];	/* name: unescaped bytes */
};
/*
 * old (NULL = empty) with a patch: first base (if not NULL) is set under "base", then patch (packed object, NULL =
 * none): "*":null clears all, null removes, other values set, "*" itself never stays (protocol.md E.5).  NULL: out
 * of memory.
 */
struct blobmap *blobmap_patch(const struct blobmap *old, struct blob *base, const uint8_t *patch, const struct dict *d);
struct blobmap *blobmap_ref(struct blobmap *m);
void	 blobmap_unref(struct blobmap *m);
int	 blobmap_equal(const struct blobmap *a, const struct blobmap *b);

struct profile {			/* in view.profiles; r.id = UserID */
	struct rec	 r;
	uint8_t		 data[];	/* packed object */
};

struct view {
	unsigned	 refs;
	uint64_t	 seq;
	struct pubkey	 node_key, machine_key;
	struct wtime	 received;
	struct blob	*field[NF_COUNT];	/* Node and fields of kind VALUE and KEPT; NULL: none */
	struct blobmap	*filter, *display;	/* PacketFilter, DisplayMessages; NULL: none */
	struct peers	*peers;
	struct recset	*profiles;
};
struct view *view_new(void);
struct view *view_copy(const struct view *v);		/* shares everything */
void	 view_unref(struct view *v);
size_t	 view_bytes(const struct view *v);		/* of a published one, with all it shares, about */
static inline const struct node *
view_self(const struct view *v)
{
	return v->field[NF_Node] == NULL ? NULL : (const struct node *)(const void *)v->field[NF_Node]->p;
}

struct netmap {
	struct view	*cur;			/* NULL: none */
	struct dict	*names;			/* of everything but peers */
	enum ipc_source	 source;
	uint64_t	 seq;
	int		 fresh;			/* the next message is the first of its stream */
	int		 in_session;
	struct pubkey	 node_key, machine_key;	/* of the session */
	int64_t		 clock_delta;
	int		 clock_said;		/* by this stream; before that it is what the one before said */
	const struct netmap_origin *origin;	/* a cached map is being put back; else NULL */
	int		 rescan;		/* marks must be looked at again */
	uint32_t	 untold;		/* fields that keep-alives changed since the last change that was told */
	int64_t		*ids;			/* of the last netmap_change */
	size_t		 capids;
};

/* What a reader holds while it reads. */
struct snapshot {
	struct view	*view;
	uint64_t	 peers_at, profiles_at;
};
int	 snapshot_take(struct netmap *nm, struct snapshot *s);	/* 0, -1 = there is no map or too many readers */
void	 snapshot_release(struct snapshot *s);			/* also of one never taken (zeroed) */

/* One message, parsed and not yet applied. */
struct nodelist { struct node **n; size_t len, cap; };
struct idflag { int64_t id; int on; };
struct stage {
	int		 keepalive;
	size_t		 max_peers, max_bytes;	/* that there may be afterwards */
	struct blob	*field[NF_COUNT];	/* NULL: absent or without effect; NF_DERPMap is not merged yet */
	struct blob	*base_rules;		/* PacketFilter */
	struct blob	*chunks, *display;	/* PacketFilters, DisplayMessages: packed objects */
	struct peers	*peers_new;		/* the set that Peers and a first message fill */
	struct peers	*target;		/* the set whose dictionary changed and patches were packed with, NULL: peers_new or none */
	struct nodelist	 peers, changed, patches, profiles;	/* profiles: struct profile */
	int64_t		*removed;
	size_t		 nremoved;
	struct idflag	*seen, *online;
	size_t		 nseen, nonline;
};
void	 stage_clear(struct stage *st);
int	 nodelist_add(struct nodelist *l, struct node *n);	/* takes n; 0, or -1 (n freed) */
void	 nodelist_clear(struct nodelist *l);

extern const char netmap_too_many[], netmap_too_large[];	/* the reasons for -1 that are a limit of D15 */
/* 1 changed, 0 not, -1 refused with a reason.  Empties st in every case. */
int	 netmap_apply(struct netmap *nm, struct stage *st, struct wtime now, struct netmap_change *ch, const char **why);

/* derp.c: protocol.md E.8.  old may be NULL.  NULL: out of memory. */
struct blob *derp_merge(const struct blob *old, const struct blob *new);

/* expiry.c */
int	 expiry_due(const struct node *n, int64_t now);		/* should bear our mark; now is corrected */

int	 netmap_reserve_ids(struct netmap *nm, size_t n);	/* room for the id lists of a change; 0 / -1 */
void	 mem_trim(void);					/* give what was freed back to the system */

#endif
