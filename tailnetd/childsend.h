/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CHILDSEND_H
#define CHILDSEND_H

#include "log.h"

/*
 * What children are sent besides their work: who they are, the configuration, this host's report, the dial plan's
 * times.
 */
struct child;
struct supervisor;

void	 childsend_hello(struct child *c);
void	 childsend_config(struct child *c);
int	 childsend_ca(struct child *c);			/* the CA certificates, or an empty file; 0, or -1 with errno */
void	 childsend_report(struct child *c);		/* to one that is READY: everything below but the log level */

/*
 * To all that are READY: it has changed.  While a child's channel is full this is gathered: it is sent what holds then,
 * once, when there is room (childsend_due()).
 */
void	 childsend_hostinfo(struct supervisor *s);
void	 childsend_params(struct supervisor *s);
void	 childsend_new_config(struct supervisor *s);	/* also to one that starts: it has the old one */
void	 childsend_dial_times(struct supervisor *s);
void	 childsend_log_level(struct supervisor *s);
void	 childsend_due(struct child *c);

#endif
