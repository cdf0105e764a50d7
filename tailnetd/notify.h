/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

/* The protocol of sd_notify(3): a datagram to NOTIFY_SOCKET.  Without one every call does nothing. */
struct notify;

struct notify *notify_new(void);		/* reads and unsets NOTIFY_SOCKET, WATCHDOG_USEC; NULL: no memory */
void	 notify_free(struct notify *n);
int	 notify_wanted(const struct notify *n);
uint64_t notify_watchdog_ms(const struct notify *n);	/* how often to feed it (half its time); 0 = no watchdog */
void	 notify_ready(struct notify *n);
void	 notify_status(struct notify *n, const char *text);
void	 notify_reloading(struct notify *n);	/* followed by notify_ready() */
void	 notify_stopping(struct notify *n);
void	 notify_alive(struct notify *n);

#endif
