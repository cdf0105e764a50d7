/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "keyring.h"
#include "noise.h"

/*
 * The 48 bytes that a child passes on as the server's answer.  The first byte of the input: 0 = the next 48 are the
 * answer, 2 = a server key to begin with, else pairs of place and bits that are flipped in the right answer
 * (protocol.md, appendix 1).  Only the right one gives keys, and those of the vector; everything else is a reason of
 * the list and no trace of keys.
 */
#define SERVER "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"
#define RESP   "ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b0eddc22d979a1022201bb5cd3643c054"
#define K1     "d9811dd6a320dc8484bb37ea989640c99f99a8582f50b829e347bd75da510717"
#define K2     "8561e3fd4551ed82ee22220925e41e923d64b1c04b856f8ec1eaa544a511a427"

static struct keyring *ring;
static struct pubkey server;
static uint8_t right[NOISE_RESP_BODY], k1[32], k2[32];

int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char text[PRIVKEY_TEXT_LEN + 1] = "privkey:";

	(void)argc;
	(void)argv;
	memset(text + 8, '1', 64);
	if (sodium_init() == -1 || (ring = keyring_new()) == NULL ||
	    keyring_import(ring, SLOT_MACHINE, text, PRIVKEY_TEXT_LEN) == -1 ||
	    hex_decode(SERVER, 64, server.b) == -1 || hex_decode(RESP, 96, right) == -1 ||
	    hex_decode(K1, 64, k1) == -1 || hex_decode(K2, 64, k2) == -1)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A server key that the configuration or /key gave. */
static void
another_server(const uint8_t *data, size_t size)
{
	uint8_t init[NOISE_INIT_LEN];
	struct pubkey other = { { 0 } };
	struct noise *n;

	memcpy(other.b, data, size < sizeof(other.b) ? size : sizeof(other.b));
	if ((n = noise_begin(ring, &other, 113, init)) == NULL && errno != EINVAL)
		abort();
	noise_abort(n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ipc_hs_keys none;
	uint8_t init[NOISE_INIT_LEN], body[NOISE_RESP_BODY], eph[32];
	struct ipc_hs_keys keys;
	struct noise *n;
	int rv;

	if (size == 0)
		return 0;
	if (data[0] == 2) {
		another_server(data + 1, size - 1);
		return 0;
	}
	memcpy(body, right, sizeof(body));
	if (data[0] == 0)
		memcpy(body, data + 1, size - 1 < sizeof(body) ? size - 1 : sizeof(body));
	else
		for (size_t i = 1; i + 1 < size; i += 2)
			body[data[i] % sizeof(body)] ^= data[i + 1];
	memset(eph, 0x22, sizeof(eph));
	memset(&keys, 0xaa, sizeof(keys));
	if ((n = noise_begin_with(ring, &server, 113, eph, init)) == NULL)
		abort();
	rv = noise_finish(n, ring, body, &keys);
	if ((rv == 0) != (memcmp(body, right, sizeof(body)) == 0))
		abort();
	if (rv == 0 && (memcmp(keys.tx, k1, 32) != 0 || memcmp(keys.rx, k2, 32) != 0))
		abort();
	if (rv != 0 && ((rv != IPC_HS_BAD_TAG && rv != IPC_HS_BAD_POINT) || memcmp(&keys, &none, sizeof(keys)) != 0))
		abort();
	return 0;
}
