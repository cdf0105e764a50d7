/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "addr.h"
#include "nodeview.h"
#include "peername.h"
#include "text.h"

size_t
dns_name(const char *s, size_t n, char out[260])
{
	size_t i, label = 0;

	out[0] = '\0';
	if (n > 0 && s[n - 1] == '.')
		n--;
	if (n == 0 || n > 253)
		return 0;
	for (i = 0; i < n; i++) {
		char c = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i]);
		int edge = label == 0 || i + 1 == n || s[i + 1] == '.';

		if (c == '.') {
			if (label == 0)
				return 0;
			label = 0;
		} else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !edge) || c == '_') ||
		    ++label > 63)
			return 0;
		out[i] = c;
	}
	out[n] = '\0';
	if (strcmp(out, "localhost") == 0 || (n > 10 && strcmp(out + n - 10, ".localhost") == 0)) {
		out[0] = '\0';
		return 0;
	}
	return n;
}

void
tailnet_suffix(const struct netmap *nm, const struct view *v, char out[260])
{
	const struct node *self = view_self(v);
	char text[300], name[260];
	const char *dot;
	size_t n;

	out[0] = '\0';
	if (self == NULL || (n = node_text(self, nm->names, NM_Name, text, sizeof(text))) == 0 ||
	    dns_name(text, n, name) == 0)
		return;
	if ((dot = strchr(name, '.')) != NULL)
		memcpy(out, dot + 1, strlen(dot));
}

const struct node *
find_peer(const struct netmap *nm, const char *what, struct peers_search *search)
{
	const struct peers *p = nm->cur->peers;
	struct pubkey key;
	uint8_t addr[16];
	char suffix[260];
	unsigned family;
	int64_t id;
	int zone;
	size_t n = strlen(what);

	*search = (struct peers_search){ .by = SEARCH_NONE };
	if (text_to_i64(what, n, INT64_MIN, INT64_MAX, &id) == 0)
		return peers_find(p, id);
	if (key_parse(KEY_NODE, what, n, &key) == 0)
		return peers_find_key(p, key.b, search);
	if (addr_parse_ip(what, n, addr, &family, &zone) == 0)
		return zone ? NULL : peers_find_addr(p, addr, family, search);
	tailnet_suffix(nm, nm->cur, suffix);
	return peers_find_name(p, what, suffix, search);
}
