/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>

/*
 * Memory for secrets (security.md D11): locked, not dumped, between guard pages, not inherited by fork, wiped when
 * freed, and unreadable except between secret_open() and secret_close().  Backed by memfd_secret(2) where the kernel
 * has it (not even root reads it through /proc/PID/mem), by MAP_CONCEAL on OpenBSD, else by sodium_malloc(3).
 */
struct secret;

struct secret *secret_new(size_t size);		/* zeroed, closed; NULL with errno */
void	 secret_free(struct secret *s);		/* NULL is fine */
void	*secret_open(struct secret *s);		/* readable and writable; calls nest */
void	 secret_close(struct secret *s);
const char *secret_backend(void);		/* "memfd_secret", "conceal" or "mlock": for -v */

#endif
