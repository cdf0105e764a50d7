/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DIAL_H
#define DIAL_H

#include <stdint.h>

#include "config.h"
#include "spawn.h"

/*
 * Dialling for the children (security.md D3): names and ports come from the configuration and the stored dial plan
 * only.  Resolves with the `resolver` program, refuses forbidden addresses, tries the rest 250 ms apart, both
 * families side by side (DIAL-10), reuses the last good addresses when names cannot be resolved, and hands over a
 * connected, non-blocking descriptor.  A look-up outlives the dial that asked for it (lookup.h).
 */
struct event_base;
struct dialler;
struct dial;

typedef void (*dial_looked_up)(void *arg, const struct ipc_addr *addrs, unsigned n);
/* fd < 0: failed; text: address reached, or why not */
typedef void (*dial_done)(void *arg, int fd, int err, const char *text);

struct dialler *dialler_new(struct event_base *base, const struct config *cfg, const struct spawn_image *resolver);
void	 dialler_free(struct dialler *d);
void	 dialler_config(struct dialler *d, const struct config *cfg);		/* reload */
/* on: no network is expected now, so a look-up ends with the dials that wait for it */
void	 dialler_quiet(struct dialler *d, int on);
/* ids the resolver runs as: drop to uid/gid when drop != 0 */
void	 dialler_ids(struct dialler *d, int drop, unsigned uid, unsigned gid);
/* validated here: public unicast only */
void	 dialler_plan(struct dialler *d, const struct ipc_dial_plan *plan);
/* Delays and timeouts of the candidates; n = 0: no plan. */
void	 dialler_times(const struct dialler *d, struct ipc_dial_times *t);
/*
 * What is dialled, and by which child: an address whose server is not proved afterwards is put last (standing.h).
 * candidate IPC_DIAL_BESIDE: one of the same name that is not tried at the moment, without a new look-up.
 */
struct dial_spec { enum ipc_dial_kind kind; uint32_t candidate; const void *owner; uint32_t attempt; };
/* 10 s in all (or the plan entry's timeout).  NULL with errno when the kind has no port (EINVAL) or memory is out. */
struct dial *dial_start(struct dialler *d, const struct dial_spec *spec, dial_done done, void *arg);
/* The owner's attempt (a Noise handshake), or its last connections to the server's URL, reached the right server. */
void	 dialler_proved(struct dialler *d, const void *owner, uint32_t attempt);
void	 dialler_proved_url(struct dialler *d, const void *owner);
/*
 * Call fn with what the name resolved to, before any of it is tried (not for literals and last good
 * addresses).
 */
void	 dial_tell_lookup(struct dial *x, dial_looked_up fn);
void	 dial_cancel(struct dial *x);		/* closes everything, no callback */
/* 1st chance at a reaped pid; harmless if not ours */
void	 dialler_sigchld(struct dialler *d, int pid, int status);

#endif
