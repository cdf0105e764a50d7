/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CMD_PEERS_H
#define CMD_PEERS_H

#include <stddef.h>

#include "json.h"

struct ctl;
struct source;

int	 cmd_netmap(struct ctl *c, int argc, char **argv);
int	 cmd_peers(struct ctl *c, int argc, char **argv);
int	 cmd_peer(struct ctl *c, int argc, char **argv);

/* Answers made readable, from any source: exit code. */
int	 peers_print(struct ctl *c, struct source *s);
int	 netmap_print(struct ctl *c, struct source *s);
/* Without the dot at the end; "-" for none */
void	 node_name(struct json_object *node, char *out, size_t outsize);
/* Without the lengths */
void	 node_addresses(struct json_object *node, const char *sep, char *out, size_t outsize);

#endif
