/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef VEC_H
#define VEC_H

#include <stddef.h>

/*
 * pp points to a pointer to elements of size bytes with room for *cap of them: make room for n at least.
 */
void	 vec_grow(void *pp, size_t *cap, size_t n, size_t size);

#endif
