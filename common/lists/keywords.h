/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef KEYWORDS_H
#define KEYWORDS_H

/*
 * Every keyword of tailnetd.conf (interface.md 2, tailnetd.conf(5)), in the order in which -nv prints them. Made from
 * it: the members of struct config, reading, printing, the defaults, what a reload refuses, and the record of the
 * configuration that the parent sends to its children.  A new keyword is a row here and the code that uses its value.
 *
 *	K(keyword, member, type, range, value, default, flags, child)
 *
 *	member	of struct config; a type that needs several members makes their names from it
 *	type	how it is read and printed: the types are in tailnetd/conf/configkw.c, what they store
 *		in tailnetd/conf/config.h
 *	range	ANY, LIMITS(min, max), or WORDS("a|b"): the words in the order of the values 0, 1, ...
 *	value	for messages: what a value looks like
 *	default	as in the file; "": not set
 *	flags	LIST	takes several values
 *		RESTART	a change needs a restart, SIGHUP refuses it
 *		SECRET	printed masked
 *	child	NO	no child receives it in its configuration
 *		PARTS	children receive what KEYWORD_PARTS says, never the text itself
 *		CHILD	authd and mapd receive it
 *		WIRE	the same, and a change makes a child open its connection again
 *
 * The compiler refuses CHILD and WIRE for a SECRET and for types that ipc/config_msg.h does not list, and WIRE for
 * texts.
 */
#define KEYWORDS(K) \
	K("control-url", control_url, CONTROL_URL, ANY, "a URL such as https://headscale.example.com", "", \
		RESTART, PARTS) \
	K("server-key", server_key, SERVER_KEY, ANY, "mkey: and 64 hex digits", "", 0, NO) \
	K("auth-key-file", auth_key_file, PATH, ANY, "an absolute path", "", 0, NO) \
	K("ca-file", ca_file, PATH, ANY, "an absolute path", "", 0, NO) \
	K("transport", transport_tls, ENUM, WORDS("auto|tls"), "auto or tls", "auto", 0, PARTS) \
	K("proxy", proxy, PROXY, ANY, "http://[user:password@]host:port", "", SECRET, PARTS) \
	K("capability-version", capver, NUMBER, LIMITS(113, 145), "a number from 113 to 145", "131", RESTART, WIRE) \
	K("login", login_manual, ENUM, WORDS("auto|manual"), "auto or manual", "auto", 0, NO) \
	K("on-expiry", expiry_wait, ENUM, WORDS("login|wait"), "login or wait", "login", 0, NO) \
	K("start-paused", start_paused, ENUM, WORDS("no|yes"), "yes or no", "no", 0, NO) \
	K("ephemeral", ephemeral, ENUM, WORDS("no|yes"), "yes or no", "no", 0, NO) \
	K("hostname", hostname, HOSTNAME, ANY, "letters, digits, -, _ and .", "", 0, NO) \
	K("advertise-routes", routes, ROUTES, ANY, "one or more prefixes", "", LIST, NO) \
	K("advertise-tags", tags, TAGS, ANY, "one or more of tag:name", "", LIST, NO) \
	K("listen-port", listen_port, NUMBER, LIMITS(0, 65535), "a number from 0 to 65535", "41641", 0, NO) \
	K("endpoints", endpoints, ENDPOINTS, ANY, "auto, none, or one or more of ip:port", "auto", LIST, NO) \
	K("endpoints-ignore", endpoints_ignore, ROUTES, ANY, "one or more prefixes", "", LIST, NO) \
	K("accept-routes", accept_routes, ENUM, WORDS("no|yes"), "yes or no", "no", 0, CHILD) \
	K("exit-node", exit_node, TEXT, ANY, "a name, address or StableID", "", 0, CHILD) \
	K("state-dir", state_dir, PATH, ANY, "an absolute path", PATH_STATEDIR, RESTART, NO) \
	K("control-socket", control_socket, PATH, ANY, "an absolute path", PATH_RUNDIR "/tailnetd.sock", RESTART, NO) \
	K("chroot-dir", chroot_dir, PATH, ANY, "an absolute path", PATH_EMPTYDIR, RESTART, NO) \
	K("libexec-dir", libexec_dir, PATH, ANY, "an absolute path", PATH_LIBEXECDIR, RESTART, NO) \
	K("control-group", control_group, NAME, ANY, "a group name", "", RESTART, NO) \
	K("control-operator", control_operator, NAME, ANY, "a user name", "", 0, NO) \
	K("sandbox", best_effort, ENUM, WORDS("required|best-effort"), "required or best-effort", "required", \
		RESTART, NO) \
	K("server-exit", exit_honour, ENUM, WORDS("refuse|honour"), "refuse or honour", "refuse", 0, NO) \
	K("max-map-wire", max_map_wire, SIZE, LIMITS(65536, 1LL << 30), "bytes from 64K to 1024M", "64M", 0, CHILD) \
	K("max-map-decoded", max_map_decoded, SIZE, LIMITS(65536, 4095LL << 20), "bytes from 64K to 4095M", "512M", \
		0, CHILD) \
	K("netmap-cache", netmap_cache, ENUM, WORDS("no|yes"), "yes or no", "no", 0, NO) \
	K("log-level", log_level, LEVEL, ANY, "error, warn, info or debug", "info", 0, NO) \
	K("map-watchdog", watchdog_ms, SECONDS, LIMITS(1, 3600), "seconds from 1 to 3600", "120", 0, CHILD)

/*
 * What the parent makes of control-url, transport and proxy for its children: T(member, size) a text of at most size -
 * 1 bytes, N(member, min, max) a number.  All of them are WIRE.  proxy_auth is the one secret among them, because the
 * children send CONNECT.
 */
#define KEYWORD_PARTS(T, N) \
	T(host, 254)			/* of the control URL: lower case, no port, no brackets */ \
	T(authority, 254)		/* host[:port] as in the URL */ \
	T(prefix, 256)			/* path of the URL, no trailing slash; often empty */ \
	T(proxy_auth, 256)		/* "user:password" for Proxy-Authorization; often empty */ \
	N(https, 0, 1)			/* scheme of the control URL */ \
	N(url_port, 1, 65535)		/* the URL's own, given or its scheme's: /key, HEAD pings */ \
	N(clear_port, 0, 65535)		/* of ts2021 without TLS (DIAL-02, transport); 0 = none */ \
	N(tls_port, 0, 65535)		/* of ts2021 with TLS; 0 = none */ \
	N(via_proxy, 0, 1)		/* descriptors lead to an HTTP proxy: CONNECT first */

#endif
