/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "addr.h"
#include "packprint.h"

static const char hexpair[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
    "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
    "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
    "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

void
pack_hex(char *out, const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		memcpy(out + 2 * i, hexpair + 2 * (size_t)p[i], 2);
}

/* Text of a string kept in binary, without quotes; 0 = p is no such value. */
static size_t
binary_text(const uint8_t *p, char *out)
{
	static const struct {
		const char *text;
		size_t n;
	} prefix[] = { { "nodekey:", 8 }, { "mkey:", 5 }, { "discokey:", 9 } };
	struct wtime t;
	size_t n;

	switch (*p) {
	case PK_NODEKEY:
	case PK_MKEY:
	case PK_DISCO:
		n = prefix[*p - PK_NODEKEY].n;
		memcpy(out, prefix[*p - PK_NODEKEY].text, n);
		pack_hex(out + n, p + 1, 32);
		return n + 64;
	case PK_HEX: pack_hex(out, p + 2, p[1]); return 2 * (size_t)p[1];
	case PK_TIME:
	case PK_TIMEN:
		if (!pk_time(p, NULL, &t))
			return 0;
		return pack_time_text(out, t);
	case PK_PFX4: return addr_format_prefix(p + 1, 4, p[5], out);
	case PK_PFX6: return addr_format_prefix(p + 1, 6, p[17], out);
	case PK_EP4: return addr_format_endpoint(p + 1, 4, (unsigned)p[5] << 8 | p[6], out);
	case PK_EP6: return addr_format_endpoint(p + 1, 6, (unsigned)p[17] << 8 | p[18], out);
	default: return 0;
	}
}

size_t
pack_time_text(char *out, struct wtime t)
{
	char tmp[TIME_TEXT_MAX];
	size_t n;

	time_format(t, tmp);
	n = strlen(tmp);
	memcpy(out, tmp, n);
	return n;
}

static size_t
fqdn_text(const uint8_t *p, const struct dict *d, char *out)
{
	size_t label = p[1], n;
	const uint8_t *domain = dict_text(d, (unsigned)p[2 + label] << 8 | p[3 + label], &n);

	memcpy(out, p + 2, label);
	memcpy(out + label, domain, n);
	return label + n;
}

int
pk_text(const uint8_t *p, const struct dict *d, char *tmp, struct pv *out)
{
	uint64_t n;

	if (*p >= PK_SMALL)
		return 0;
	if (*p >= PK_SHORT) {
		*out = (struct pv){ p + 1, (size_t)(*p - PK_SHORT) };
		return 1;
	}
	if (*p >= PK_DICT0) {
		out->p = dict_text(d, (unsigned)(p[0] - PK_DICT0) << 8 | p[1], &out->n);
		return 1;
	}
	if (*p == PK_STR) {
		p++;
		n = pk_varint(&p);
		*out = (struct pv){ p, (size_t)n };
		return 1;
	}
	out->n = *p == PK_FQDN ? fqdn_text(p, d, tmp) : binary_text(p, tmp);
	out->p = (const uint8_t *)tmp;
	return out->n > 0;
}

static inline void
put_quoted(struct pb *b, const uint8_t *s, size_t n)
{
	pb_need(b, n + 2);
	b->p[b->n] = '"';
	memcpy(b->p + b->n + 1, s, n);
	b->p[b->n + 1 + n] = '"';
	b->n += n + 2;
}

const uint8_t *
pk_print_name(struct pb *b, const uint8_t *p, const struct dict *d)
{
	const uint8_t *s;
	size_t n;

	if (*p < PK_NAME_DICT2) {
		s = dict_text(d, *p, &n);
		p++;
	} else if (*p < PK_NAME_TEXT) {
		s = dict_text(d, (unsigned)(p[0] - PK_NAME_DICT2) << 8 | p[1], &n);
		p += 2;
	} else {
		p++;
		n = (size_t)pk_varint(&p);
		s = p;
		p += n;
	}
	put_quoted(b, s, n);
	pb_byte(b, ':');
	return p;
}

static const uint8_t *
print_container(struct pb *b, const uint8_t *p, const struct dict *d)
{
	int obj = *p++ == PK_OBJ, first = 1;

	pb_byte(b, obj ? '{' : '[');
	for (; *p != PK_END; first = 0) {
		if (!first)
			pb_byte(b, ',');
		if (obj)
			p = pk_print_name(b, p, d);
		p = pk_print(b, p, d);
	}
	pb_byte(b, obj ? '}' : ']');
	return p + 1;
}

static const uint8_t *
print_literal(struct pb *b, const uint8_t *p)
{
	if (*p == PK_NULL)
		pb_put(b, "null", 4);
	else if (*p == PK_FALSE)
		pb_put(b, "false", 5);
	else
		pb_put(b, "true", 4);
	return p + 1;
}

/* Values with their length in front. */
static const uint8_t *
print_sized(struct pb *b, const uint8_t *p)
{
	uint8_t tag = *p++;
	size_t n = (size_t)pk_varint(&p);

	if (tag == PK_STR)
		put_quoted(b, p, n);
	else
		pb_put(b, p, n);
	return p + n;
}

const uint8_t *
pk_print(struct pb *b, const uint8_t *p, const struct dict *d)
{
	struct pv text;
	char tmp[PK_TMP];
	int64_t v;

	if (*p >= PK_SMALL) {
		pb_i64(b, *p - PK_SMALL);
		return p + 1;
	}
	switch (*p) {
	case PK_OBJ:
	case PK_ARR: return print_container(b, p, d);
	case PK_NULL:
	case PK_FALSE:
	case PK_TRUE: return print_literal(b, p);
	case PK_NUM:
	case PK_STR: return print_sized(b, p);
	case PK_INT:
		p++;
		v = (int64_t)pk_varint(&p);
		pb_i64(b, v);
		return p;
	default:
		if (pk_text(p, d, tmp, &text))
			put_quoted(b, text.p, text.n);
		return pk_skip(p);
	}
}

/* Four hex digits of \uXXXX; we wrote them. */
static unsigned
hex4(const uint8_t *s)
{
	unsigned v = 0, i;

	for (i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(s[i] <= '9' ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10);
	return v;
}

long
pk_cstr(const uint8_t *p, const struct dict *d, char *out, size_t outsize)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const uint8_t *s, *end;
	struct pv text;
	char tmp[PK_TMP], c;
	const char *e;
	size_t n = 0;

	if (outsize == 0 || !pk_text(p, d, tmp, &text))
		return -1;
	for (s = text.p, end = s + text.n; s < end && n + 1 < outsize;) {
		if ((c = (char)*s++) == '\\') {
			c = (char)*s++;
			if (c == 'u') {
				c = (char)hex4(s); /* only control characters are kept in this form */
				s += 4;
			} else if ((e = strchr(from, c)) != NULL)
				c = to[e - from];
		}
		out[n++] = c;
	}
	if (s < end && (*s & 0xc0) == 0x80) { /* no half character at a cut */
		while (n > 0 && ((uint8_t)out[n - 1] & 0xc0) == 0x80)
			n--;
		n -= n > 0;
	}
	out[n] = '\0';
	return (long)n;
}
