/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONFIG_H
#define CONFIG_H

/* What to do when our own users and groups are missing. */
#ifdef __OpenBSD__
#define CONFIG_NO_ACCOUNTS ": run `gmake install-users`"
#else
#define CONFIG_NO_ACCOUNTS ": run `make install-users`, or install contrib/sysusers.d/tailnetd.conf"
#endif

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "keytext.h"
#include "keywords.h"
#include "log.h"
#include "msgs.h"

/*
 * The configuration (interface.md 2): its keywords are common/lists/keywords.h; an unknown or repeated one is an error.
 * What a keyword of each type stores, m being its member there:
 */
#define CONFIG_MAX_ROUTES	64
#define CONFIG_MAX_TAGS		64
#define CONFIG_PATH_MAX		1024

struct config_prefix { struct ipc_addr a; };
enum endpoints_mode { EP_AUTO, EP_NONE, EP_LIST };

#define CONFIG_CONTROL_URL(m)	char m[512];		/* as given, trailing slashes cut; its parts are below */
#define CONFIG_SERVER_KEY(m)	struct pubkey m;	/* zero = none */
#define CONFIG_PATH(m)		char m[CONFIG_PATH_MAX];	/* of these texts "" = not set */
#define CONFIG_TEXT(m)		char m[256];
#define CONFIG_HOSTNAME(m)	char m[256];
#define CONFIG_NAME(m)		char m[64];
#define CONFIG_ENUM(m)		int m;			/* position in its list of words */
#define CONFIG_NUMBER(m)	unsigned m;
#define CONFIG_SECONDS(m)	unsigned m;		/* in milliseconds */
#define CONFIG_SIZE(m)		uint64_t m;		/* bytes */
#define CONFIG_PROXY(m)		char m##_host[IPC_HOST_MAX]; unsigned m##_port;	/* host "" = none */
#define CONFIG_ROUTES(m)	struct config_prefix m[CONFIG_MAX_ROUTES]; unsigned n##m;
#define CONFIG_TAGS(m)		char m[CONFIG_MAX_TAGS][64]; unsigned n##m;
#define CONFIG_ENDPOINTS(m)	enum endpoints_mode m##_mode; struct ipc_endpoint m[IPC_MAX_ENDPOINTS]; unsigned n##m;
#define CONFIG_LEVEL(m)		enum log_level m;

struct config {
#define K(keyword, member, type, range, value, def, flags, child) CONFIG_##type(member)
#define T(member, size) char member[size];
#define N(member, min, max) unsigned member;
	KEYWORDS(K)
	KEYWORD_PARTS(T, N)
#undef K
#undef T
#undef N
	int		 host_is_literal;	/* an address */
	int		 host_is_private;	/* literal in RFC 1918/ULA/loopback, or "localhost" (protocol.md C.8) */
};

/* Parse a file.  0, or -1 with `file:line: message` in err.  *c is only written on success.  config_load with
 * `names` also looks up the group and the user that the file names. */
int	 config_load(const char *path, int names, struct config *c, char *err, size_t errsize);
int	 config_parse(const char *name, const char *text, size_t n, struct config *c, char *err, size_t errsize);
/* The effective configuration in its own syntax, secrets masked, one keyword per line; parses back to the same. */
struct buf;
int	 config_print(const struct config *c, struct buf *out);
/* control-group, by name or number.  0, or -1: there is none of that name. */
int	 config_find_group(const struct config *c, gid_t *gid);
/* Which changes a reload can apply and which need a restart (NULL = all can): the first keyword that can't. */
const char *config_reload_blocker(const struct config *from, const struct config *to);

/* auth-key-file: trimmed contents into out (secret memory of the caller), REG-12.  0, or -1 with a reason. */
int	 config_read_authkey(const struct config *c, char *out, size_t outsize, size_t *len, char *err, size_t errsize);

#endif
