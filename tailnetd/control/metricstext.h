/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef METRICSTEXT_H
#define METRICSTEXT_H

struct buf;
struct control_ops;

/* The Prometheus text format (interface.md 9), ended by `# EOF`; 0, or -1: out is full */
int	 metrics_text(const struct control_ops *o, struct buf *out);

#endif
