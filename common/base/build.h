/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef BUILD_H
#define BUILD_H

#define TAILNETD_VERSION "0.1.0"
#define BUILD_ID_LEN	 32

/*
 * Names this build: the hash of every source file and of the flags, BUILD_ID_LEN hex digits and a NUL.  Parent and
 * children compare it.
 */
extern const char build_id[BUILD_ID_LEN + 1];
extern const char build_options[];	/* for -V: "gcc 12.2.0", "clang 14.0.6 sanitize=address,undefined" */

#endif
