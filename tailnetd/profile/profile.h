/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PROFILE_H
#define PROFILE_H

#include <stdint.h>

#include "keytext.h"
#include "timefmt.h"

/*
 * What the login machine decides and the state file keeps, besides the private keys (behaviours.md PERS-02,
 * security.md D10). Plain values: no private key, no pointer, so that the struct can be copied, compared field by
 * field and kept anywhere.
 */
enum pin_source { PIN_NONE, PIN_CONFIG, PIN_FIRST_USE, PIN_ACCEPTED };	/* interface.md 3, server-key */

struct profile {
	int		 want_running;		/* 0: logged out on purpose; nothing logs in by itself (PERS-02) */
	int		 paused;
	int		 candidate;		/* the candidate key is in the state file (before its first use) */
	int		 unproven;		/* no map was live with the node key; old-node-key had the last */
	struct pubkey	 server_key;		/* zero = no pin yet */
	enum pin_source	 pin_source;
	struct wtime	 pin_since;
	int64_t		 user_id;		/* 0 = unknown */
	char		 login_name[257];
	char		 display_name[257];
	char		 profile_pic[2049];
	struct wtime	 node_key_expiry;	/* as last reported by the server; TIME_NONE = never or unknown */
};

/* After a logout: no user, no candidate, no expiry; the pin and the flags stay (OUT-01). */
void	 profile_forget_login(struct profile *p);

#endif
