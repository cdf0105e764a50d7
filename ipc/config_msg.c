/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "config_msg.h"
#include "ipc.h"

/* "a|b|c": 3 */
static uint64_t
count_words(const char *words)
{
	uint64_t n = 1;

	for (; *words != '\0'; words++)
		n += *words == '|';
	return n;
}

static int
within(uint64_t v, uint64_t min, uint64_t max)
{
	return v >= min && v <= max;
}

/* The range of a row as two arguments. */
#define ANY              0, UINT64_MAX
#define LIMITS(min, max) min, max
#define WORDS(words)     0, count_words(words) - 1

#define OK_ENUM(m, member, ...)    within((m)->member, __VA_ARGS__)
#define OK_NUMBER(m, member, ...)  within((m)->member, __VA_ARGS__)
#define OK_SIZE(m, member, ...)    within((m)->member, __VA_ARGS__)
#define OK_SECONDS(m, member, ...) ((m)->member > 0 && seconds_ok((m)->member, __VA_ARGS__))
#define OK_TEXT(m, member, ...)    (IPC_OK(m, member) && (m)->member##_len < sizeof((m)->member))

static int
seconds_ok(uint64_t ms, uint64_t min, uint64_t max)
{
	(void)min; /* a shorter time harms the child only, and its tests use it */
	return ms <= max * 1000;
}

/* clang-format off */
#define T(member, size) && OK_TEXT(m, member, ANY)
#define N(member, min, max) && within(m->member, min, max)
#define K(keyword, member, type, range, value, def, flags, child) IPC_SENT_##child(&& OK_##type(m, member, range))
/* clang-format on */

int
config_msg_ok(const struct ipc_config *m)
{
	return m->host_len > 0 && m->authority_len > 0 KEYWORD_PARTS(T, N) KEYWORDS(K);
}
