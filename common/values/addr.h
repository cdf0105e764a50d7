/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ADDR_H
#define ADDR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Address texts as Go's net/netip reads them (protocol.md A.3): no leading zeros in decimal parts, IPv6 in any
 * valid form.  Fast, because every peer has ten of them.  family is 4 or 6; an IPv4 address fills the first four
 * bytes, the rest is zero.
 */
#define ADDR_TEXT_MAX 56	/* "[v6]:65535" and "v6/128" with NUL */

/*
 * The n bytes are the whole text.  0, or -1.  A zone ("%eth0") is accepted where Go does (addresses and endpoints)
 * and *zone set.
 */
int	 addr_parse_ip(const char *s, size_t n, uint8_t addr[16], unsigned *family, int *zone);
int	 addr_parse_prefix(const char *s, size_t n, uint8_t addr[16], unsigned *family, unsigned *bits);
int	 addr_parse_endpoint(const char *s, size_t n, uint8_t addr[16], unsigned *family, unsigned *port, int *zone);

/* Canonical texts (RFC 5952 as Go prints them).  Length; terminated. */
size_t	 addr_format_ip(const uint8_t addr[16], unsigned family, char out[ADDR_TEXT_MAX]);
size_t	 addr_format_prefix(const uint8_t addr[16], unsigned family, unsigned bits, char out[ADDR_TEXT_MAX]);
size_t	 addr_format_endpoint(const uint8_t addr[16], unsigned family, unsigned port, char out[ADDR_TEXT_MAX]);

/* Ranges of addresses, for tables. */
struct addr_net { uint8_t family, bits; uint8_t addr[16]; };
int	 addr_in_nets(const struct addr_net *nets, size_t n, const uint8_t addr[16],
	    unsigned family);				/* which, or -1 */

/* No bits set behind the prefix. */
int	 addr_prefix_masked(const uint8_t addr[16], unsigned family, unsigned bits);
int	 addr_prefix_contains(const uint8_t net[16], unsigned bits, const uint8_t addr[16]);	/* same family */

#endif
