/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "clients.h"
#include "netmap_fields.h"

static const char *const field_names[] = {
#define F(member, name, type, none, kind) name,
	NETMAP_FIELDS(F)
#undef F
#define D(name) #name,
	    NETMAP_DERIVED(D)
#undef D
};
#define NFIELDS (sizeof(field_names) / sizeof(field_names[0]))
/* The longest list: each name with its quotes and a comma. */
_Static_assert(sizeof("\"fields\":[]")
#define F(member, name, type, none, kind) +sizeof(name) + 2
		   NETMAP_FIELDS(F)
#undef F
#define D(name) +sizeof(#name) + 2
		       NETMAP_DERIVED(D)
#undef D
	<= EVENT_FIELDS_MAX,
    "room for all names");
_Static_assert(NFIELDS <= 32, "a bit for each field");

int
clients_fit(unsigned n, unsigned same, unsigned uid)
{
	if (uid == 0)
		return n < CLIENTS_MAX + CLIENTS_ROOT;
	return n < CLIENTS_MAX && same < CLIENTS_UID;
}

int
client_hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

size_t
event_head(char out[EVENT_TEXT_MAX], uint64_t seq, struct wtime when)
{
	char text[TIME_TEXT_MAX];

	when.nsec = when.nsec / 1000000 * 1000000;
	return (size_t)snprintf(out, EVENT_TEXT_MAX, "{\"v\":1,\"seq\":%" PRIu64 ",\"time\":\"%s\",", seq,
	    time_format(when, text));
}

size_t
event_netmap(char out[EVENT_TEXT_MAX], uint64_t seq, size_t peers)
{
	return (size_t)snprintf(out, EVENT_TEXT_MAX,
	    "\"event\":\"netmap\",\"netmapSeq\":%" PRIu64 ",\"full\":true,\"peers\":%zu", seq, peers);
}

size_t
event_delta(char out[EVENT_TEXT_MAX], uint64_t seq)
{
	return (size_t)snprintf(out, EVENT_TEXT_MAX, "\"event\":\"delta\",\"netmapSeq\":%" PRIu64, seq);
}

size_t
event_lagged(char out[EVENT_TEXT_MAX], uint64_t dropped)
{
	return (size_t)snprintf(out, EVENT_TEXT_MAX, "\"event\":\"lagged\",\"dropped\":%" PRIu64, dropped);
}

size_t
event_fields(char out[EVENT_FIELDS_MAX], uint32_t fields)
{
	size_t n = strlcpy(out, "\"fields\":[", EVENT_FIELDS_MAX);
	const char *comma = "";
	unsigned i;

	for (i = 0; i < NFIELDS; i++)
		if (fields & UINT32_C(1) << i) {
			n += (size_t)snprintf(out + n, EVENT_FIELDS_MAX - n, "%s\"%s\"", comma, field_names[i]);
			comma = ",";
		}
	return n + (size_t)snprintf(out + n, EVENT_FIELDS_MAX - n, "]");
}

#define LINE_FORMAT "{\"end\":{\"count\":%" PRIu64 ",\"netmapSeq\":%" PRIu64 "}}\n"
#define TEXT_FORMAT "# end: %" PRIu64 " peers, netmapSeq %" PRIu64 "\n"

size_t
end_line(char out[END_MAX], uint64_t count, uint64_t seq)
{
	return (size_t)snprintf(out, END_MAX, LINE_FORMAT, count, seq);
}

size_t
end_text(char out[END_MAX], uint64_t count, uint64_t seq)
{
	return (size_t)snprintf(out, END_MAX, TEXT_FORMAT, count, seq);
}

/* The digits at *p, which is moved behind them; 0 unless there are some that fit. */
static int
skip_number(const char **p, const char *end, uint64_t *v)
{
	const char *from = *p;

	for (*v = 0; *p < end && **p >= '0' && **p <= '9'; ++*p) {
		if (*v > (UINT64_MAX - 9) / 10)
			return 0;
		*v = *v * 10 + (uint64_t)(**p - '0');
	}
	return *p > from;
}

static int
skip_text(const char **p, const char *end, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(end - *p) < n || memcmp(*p, text, n) != 0)
		return 0;
	*p += n;
	return 1;
}

static int
read_end(const char *line, size_t n, const char *const parts[3], uint64_t *count, uint64_t *seq)
{
	const char *p = line, *end;
	uint64_t s;

	if (n == 0) /* line may be NULL */
		return 0;
	end = line + n;
	if (!skip_text(&p, end, parts[0]) || !skip_number(&p, end, count) || !skip_text(&p, end, parts[1]) ||
	    !skip_number(&p, end, &s) || !skip_text(&p, end, parts[2]) || p != end)
		return 0;
	if (seq != NULL)
		*seq = s;
	return 1;
}

int
end_line_read(const char *line, size_t n, uint64_t *count, uint64_t *seq)
{
	static const char *const parts[] = { "{\"end\":{\"count\":", ",\"netmapSeq\":", "}}" };

	return read_end(line, n, parts, count, seq);
}

int
end_text_read(const char *line, size_t n, uint64_t *count, uint64_t *seq)
{
	static const char *const parts[] = { "# end: ", " peers, netmapSeq ", "" };

	return read_end(line, n, parts, count, seq);
}
