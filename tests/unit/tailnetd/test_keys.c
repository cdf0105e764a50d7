/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(SYS_memfd_secret)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#endif

#include <sodium.h>

#include "b64.h"
#include "hex.h"
#include "keyring.h"
#include "keys.h"
#include "secret.h"
#include "unit.h"

#define PRIV "privkey:77076d0a7318a57d3c16c17251b26645c6df2e3f6a5c3d2f4e2f6ac8e6f4a850"

static struct keyring *
ring(void)
{
	struct keyring *k = keyring_new();

	assert_non_null(k);
	return k;
}

static void
test_generate(void **unused)
{
	struct keyring *k = ring();
	struct pubkey seen[20], base;
	char text[PRIVKEY_TEXT_LEN];
	uint8_t raw[KEY_LEN];
	int i, j;

	(void)unused;
	for (i = 0; i < SLOT_COUNT; i++) {
		assert_false(keyring_has(k, (enum key_slot)i));
		assert_true(key_is_zero(keyring_public(k, (enum key_slot)i)));
		assert_int_equal(keyring_export(k, (enum key_slot)i, text), -1);
	}
	for (i = 0; i < 20; i++) {
		assert_int_equal(keyring_generate(k, SLOT_NODE), 0);
		assert_int_equal(keyring_export(k, SLOT_NODE, text), 0);
		assert_memory_equal(text, "privkey:", 8);
		assert_int_equal(hex_decode(text + 8, 64, raw), 0);
		assert_int_equal(raw[0] & 7, 0); /* protocol.md A.2: clamped */
		assert_int_equal(raw[31] & 0xc0, 0x40);
		assert_int_equal(crypto_scalarmult_curve25519_base(base.b, raw), 0);
		seen[i] = *keyring_public(k, SLOT_NODE);
		assert_true(key_equal(&seen[i], &base));
		for (j = 0; j < i; j++)
			assert_false(key_equal(&seen[i], &seen[j]));
	}
	keyring_free(k);
	keyring_free(NULL);
}

static void
test_import_export(void **unused)
{
	static const char *const bad[] = { "",
		"privkey:", "mkey:77076d0a7318a57d3c16c17251b26645c6df2e3f6a5c3d2f4e2f6ac8e6f4a850000",
		"privkey:77076d0a7318a57d3c16c17251b26645c6df2e3f6a5c3d2f4e2f6ac8e6f4a85",
		"privkey:77076d0a7318a57d3c16c17251b26645c6df2e3f6a5c3d2f4e2f6ac8e6f4a85g",
		"privkey:77076d0a7318a57d3c16c17251b26645c6df2e3f6a5c3d2f4e2f6ac8e6f4a8500",
		"privkey:0000000000000000000000000000000000000000000000000000000000000000" };
	struct keyring *k = ring();
	char text[PRIVKEY_TEXT_LEN];
	size_t i;

	(void)unused;
	assert_int_equal(strlen(PRIV), PRIVKEY_TEXT_LEN);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(keyring_import(k, SLOT_NODE, PRIV, PRIVKEY_TEXT_LEN), 0);
		if (keyring_import(k, SLOT_NODE, bad[i], strlen(bad[i])) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
	/* The zero key is refused and leaves nothing behind. */
	assert_false(keyring_has(k, SLOT_NODE));
	assert_true(key_is_zero(keyring_public(k, SLOT_NODE)));
	assert_int_equal(keyring_import(k, SLOT_NODE, PRIV, PRIVKEY_TEXT_LEN), 0);
	assert_int_equal(keyring_export(k, SLOT_NODE, text), 0);
	assert_memory_equal(text, PRIV, PRIVKEY_TEXT_LEN);
	keyring_free(k);
}

static void
test_slots(void **unused)
{
	struct keyring *k = ring();
	struct pubkey a, b;

	(void)unused;
	assert_int_equal(keyring_generate(k, SLOT_NODE), 0);
	assert_int_equal(keyring_generate(k, SLOT_CANDIDATE), 0);
	a = *keyring_public(k, SLOT_NODE);
	b = *keyring_public(k, SLOT_CANDIDATE);
	keyring_copy(k, SLOT_OLD, SLOT_NODE);
	keyring_copy(k, SLOT_NODE, SLOT_CANDIDATE);
	keyring_clear(k, SLOT_CANDIDATE);
	assert_true(key_equal(keyring_public(k, SLOT_OLD), &a));
	assert_true(key_equal(keyring_public(k, SLOT_NODE), &b));
	assert_false(keyring_has(k, SLOT_CANDIDATE));
	assert_true(key_is_zero(keyring_public(k, SLOT_CANDIDATE)));
	keyring_copy(k, SLOT_OLD, SLOT_MACHINE); /* from an empty slot: empty */
	assert_false(keyring_has(k, SLOT_OLD));
	keyring_free(k);
}

static void
test_low_order_points(void **unused)
{
	static const uint8_t low[][KEY_LEN] = { { 0 }, { 1 },
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
		    0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 } };
	struct keyring *k = ring();
	uint8_t out[KEY_LEN];
	size_t i;

	(void)unused;
	assert_int_equal(keyring_dh(k, SLOT_MACHINE, low[1], out), -1); /* empty slot */
	assert_int_equal(keyring_generate(k, SLOT_MACHINE), 0);
	for (i = 0; i < sizeof(low) / sizeof(low[0]); i++)
		assert_int_equal(keyring_dh(k, SLOT_MACHINE, low[i], out), -1);
	assert_int_equal(keyring_dh(k, SLOT_MACHINE, keyring_public(k, SLOT_MACHINE)->b, out), 0);
	keyring_free(k);
}

static void
test_wgconf_line(void **unused)
{
	struct keyring *k = ring();
	char text[200], want[64];
	uint8_t raw[KEY_LEN];
	int p[2];
	ssize_t n;

	(void)unused;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(keys_wgconf_private(k, p[1]), -1); /* no node key: nothing written */
	assert_int_equal(keyring_import(k, SLOT_NODE, PRIV, PRIVKEY_TEXT_LEN), 0);
	assert_int_equal(keys_wgconf_private(k, p[1]), 0);
	n = read(p[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(hex_decode(&PRIV[8], 64, raw), 0);
	assert_true(b64_encode(raw, sizeof(raw), want, sizeof(want)) == 44);
	assert_int_equal(n, 13 + 44 + 1);
	assert_memory_equal(text, "PrivateKey = ", 13);
	assert_memory_equal(text + 13, want, 44);
	assert_int_equal(text[n - 1], '\n');
	assert_int_equal(keys_wgconf_private(k, -1), -1);
	close(p[0]);
	close(p[1]);
	keyring_free(k);
}

/* How a child that does this to p ends: the signal, or 0. */
static int
ends_by(void (*what)(uint8_t *), uint8_t *p)
{
	const struct rlimit none = { 0, 0 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* sanitizers and cmocka have handlers */
		signal(SIGBUS, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		what(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
touch(uint8_t *p)
{
	*(volatile uint8_t *)p = 1;
}

/* security.md D11: closed memory cannot be touched, and a forked process does not have it. */
static void
test_secret_memory(void **unused)
{
	struct secret *s = secret_new(100);
	uint8_t *p, zero[100] = { 0 };
	int sig;

	(void)unused;
	assert_non_null(s);
	p = secret_open(s);
	assert_memory_equal(p, zero, sizeof(zero));
	memset(p, 0xaa, 100);
	assert_ptr_equal(secret_open(s), p); /* nests */
	secret_close(s);
	p[0] = 0xbb;
	secret_close(s);
	sig = ends_by(touch, p);
	assert_true(sig == SIGSEGV || sig == SIGBUS);
	p = secret_open(s);
	assert_int_equal(p[0], 0xbb);
	assert_int_equal(p[99], 0xaa);
	sig = ends_by(touch, p); /* open here, yet not inherited */
	assert_true(sig == SIGSEGV || sig == SIGBUS);
	secret_close(s);
	secret_free(s);
	secret_free(NULL);
	assert_true(strcmp(secret_backend(), "mlock") == 0 || strcmp(secret_backend(), "memfd_secret") == 0 ||
	    strcmp(secret_backend(), "conceal") == 0);
}

#if defined(SYS_memfd_secret)
static int
memfd_secret_answers(uint32_t action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_secret, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

static void
asks_once(uint8_t *unused)
{
	int i;

	(void)unused;
	if (!memfd_secret_answers(SECCOMP_RET_ERRNO | ENOSYS))
		_exit(0); /* no filter to be had (qemu's user mode) */
	for (i = 0; i < 3; i++) {
		errno = 0;
		if (secret_new(1) == NULL)
			abort();
		if (i == 0 && !memfd_secret_answers(SECCOMP_RET_KILL_PROCESS))
			abort();
	}
}

/* A kernel without secret memory is asked once; a second call would be killed here. */
static void
test_missing_is_known(void **unused)
{
	(void)unused;
	assert_int_equal(ends_by(asks_once, NULL), 0);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generate),
		cmocka_unit_test(test_import_export),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_low_order_points),
		cmocka_unit_test(test_wgconf_line),
		cmocka_unit_test(test_secret_memory),
#if defined(SYS_memfd_secret)
		cmocka_unit_test(test_missing_is_known),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
