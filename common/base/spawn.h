/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SPAWN_H
#define SPAWN_H

#include <sys/types.h>

/* For the parent alone: no other program links this (make arrows). */

/* A program opened once at start (O_PATH|O_CLOEXEC where the system can exec a descriptor, else its path). */
struct spawn_image { int fd; char path[1024]; const char *name; int oom_adj; /* see spawn_oom() */ };
int	 spawn_open(struct spawn_image *img, const char *dir, const char *name);	/* 0, or -1 with errno */

/*
 * When memory runs out the kernel kills the children before this process (security.md D8): from now on it has the
 * oom_score_adj `own` (unless it has a lower one or may not lower it), and each child that of its image.  To be called
 * before the sandbox.  0, or -1 with errno where the system has no oom_score_adj: then nothing is changed.
 */
int	 spawn_oom(int own);

/*
 * Start img in a new process with channel as its descriptor 3 (the caller closes its own copy).  Empty environment,
 * argv is { name, NULL } or { name, arg, NULL }.  In the child before exec: signals reset and unblocked, 0..2 =
 * /dev/null, everything above 3 closed.  The new process keeps the parent's ids: it drops them itself, after exec
 * (security.md 4). For a program whose answer is text (resolver), pass the write end of a pipe as out: it becomes
 * descriptor 1. Returns the pid, or -1 with errno.
 */
pid_t	 spawn_start(const struct spawn_image *img, int channel, int out, const char *arg);

/*
 * How a process of img ended, by its status of waitpid(2), and what that means: "cannot be executed (status 127): see
 * `ldd PATH`".  For people; after the name of the process.
 */
void	 spawn_end_text(const struct spawn_image *img, int status, char *out, size_t size);

#endif
