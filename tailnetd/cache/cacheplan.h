/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CACHEPLAN_H
#define CACHEPLAN_H

#include <stdint.h>

/*
 * When the netmap cache is written, as pure code: at once when there is none yet or it is requested (pause,
 * shutdown), else after a delay, so that the disk gets at most a file, or a MiB, in each interval.
 */
#define CACHEPLAN_INTERVAL_MS 60000
#define CACHEPLAN_UNIT	      (1u << 20)	/* a file of n units waits n intervals */
/* pause when there was nothing to write after all, added to that for each written unit */
#define CACHEPLAN_NOTHING_MS  1000

struct cacheplan {
	uint64_t	 interval_ms;
	uint64_t	 seq, saved;	/* netmap Seq as it is, as it is in the file; 0 = none */
	uint64_t	 next_ms;	/* not before */
	int		 writing;
	int		 flush;		/* do not wait */
};

void	 cacheplan_init(struct cacheplan *pl, uint64_t interval_ms);
/* The live netmap has this Seq now. */
void	 cacheplan_changed(struct cacheplan *pl, uint64_t seq);
/* What is unsaved is wanted on disk now; no effect when all is saved. */
void	 cacheplan_flush(struct cacheplan *pl);
int	 cacheplan_unsaved(const struct cacheplan *pl);
/* Milliseconds until a write is to begin, 0 = now, -1 = none is. */
int64_t	 cacheplan_wait(const struct cacheplan *pl, uint64_t now_ms);
void	 cacheplan_begun(struct cacheplan *pl);
/*
 * It is over, and seq is in a file of size bytes; or it failed and is tried again after the same pause; or there
 * was nothing to write.  size is what is on the disk, whatever mapd says.
 */
void	 cacheplan_done(struct cacheplan *pl, uint64_t now_ms, uint64_t seq, uint64_t size);
void	 cacheplan_failed(struct cacheplan *pl, uint64_t now_ms, uint64_t size);
void	 cacheplan_nothing(struct cacheplan *pl, uint64_t now_ms, uint64_t size);
/* mapd has ended, and its netmap with it: nothing is written until the next change. */
void	 cacheplan_lost(struct cacheplan *pl);

#endif
