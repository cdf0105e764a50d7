/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONFIG_H
#define CONFIG_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "keytext.h"
#include "log.h"
#include "msgs.h"

/* Configuration (interface.md 2): a table of {keyword, parser, printer, default}; unknown or repeated keywords are errors. */
#define CONFIG_MAX_ROUTES	64
#define CONFIG_MAX_TAGS		64

struct config_prefix { struct ipc_addr a; };
enum endpoints_mode { EP_AUTO, EP_NONE, EP_LIST };

struct config {
	char		 control_url[512];	/* as given, trailing slashes cut */
	char		 host[IPC_HOST_MAX];	/* lower case, no brackets */
	char		 authority[IPC_HOST_MAX];
	char		 prefix[IPC_PATH_MAX];
	int		 https;
	unsigned	 url_port;		/* given, or the scheme's */
	int		 host_is_literal;	/* an address */
	int		 host_is_private;	/* literal in RFC 1918/ULA/loopback, or "localhost" (protocol.md C.8) */
	unsigned	 clear_port, tls_port;	/* ts2021 ports by DIAL-02 and `transport`; 0 = none */
	struct pubkey	 server_key;		/* zero = not pinned by the configuration */
	char		 auth_key_file[1024];
	char		 ca_file[1024];		/* "" = system bundle */
	int		 transport_tls;
	char		 proxy_host[IPC_HOST_MAX];	/* "" = none */
	unsigned	 proxy_port;
	char		 proxy_auth[IPC_PATH_MAX];	/* masked by -nv */
	unsigned	 capver;
	int		 login_manual;
	int		 expiry_wait;
	int		 start_paused, ephemeral, accept_routes, netmap_cache;
	char		 hostname[256];		/* "" = from the system */
	struct config_prefix routes[CONFIG_MAX_ROUTES];
	unsigned	 nroutes;
	char		 tags[CONFIG_MAX_TAGS][64];
	unsigned	 ntags;
	unsigned	 listen_port;
	enum endpoints_mode endpoints_mode;
	struct ipc_endpoint endpoints[IPC_MAX_ENDPOINTS];
	unsigned	 nendpoints;
	char		 exit_node[256];
	char		 state_dir[1024], control_socket[1024], chroot_dir[1024], libexec_dir[1024];
	char		 control_group[64], control_operator[64];
	int		 best_effort;
	int		 exit_honour;
	uint64_t	 max_map_wire, max_map_decoded;
	enum log_level	 log_level;
	unsigned	 map_watchdog;		/* seconds, 120 (keyword `map-watchdog`, an addition of ours) */
};

/* Parse a file.  0, or -1 with `file:line: message` in err.  *c is only written on success.  config_load with
 * `names` also looks up the group and the user that the file names. */
int	 config_load(const char *path, int names, struct config *c, char *err, size_t errsize);
int	 config_parse(const char *name, const char *text, size_t n, struct config *c, char *err, size_t errsize);
/* The effective configuration in configuration syntax, secrets masked, one keyword per line; parses back to the same. */
struct buf;
int	 config_print(const struct config *c, struct buf *out);
/* control-group, by name or number.  0, or -1: there is none of that name. */
int	 config_find_group(const struct config *c, gid_t *gid);
/* Which changes a reload can apply and which need a restart (NULL = all can): the first keyword that can't. */
const char *config_reload_blocker(const struct config *from, const struct config *to);

/* auth-key-file: trimmed contents into out (secret memory of the caller); 0, or -1 with a reason (mode, owner, size). REG-12 */
int	 config_read_authkey(const struct config *c, char *out, size_t outsize, size_t *len, char *err, size_t errsize);

#endif
