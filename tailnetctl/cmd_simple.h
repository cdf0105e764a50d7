/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CMD_SIMPLE_H
#define CMD_SIMPLE_H

struct ctl;

/*
 * The arguments of c->cmd, each an unambiguous beginning of one of its words, in full: full[0..argc-1] point into text.
 * CTL_OK, or CTL_USAGE with the complaint made.
 */
#define CMD_WORDS_MAX	8
#define CMD_WORDS_TEXT	200
int	 cmd_words(struct ctl *c, int argc, char **argv, char text[CMD_WORDS_TEXT], char *full[CMD_WORDS_MAX]);
/* Sends c->cmd with its words in full and prints errors only. */
int	 cmd_ok(struct ctl *c, int argc, char **argv);
int	 cmd_logout(struct ctl *c, int argc, char **argv);
int	 cmd_processes(struct ctl *c, int argc, char **argv);
int	 cmd_set(struct ctl *c, int argc, char **argv);
int	 cmd_server_key(struct ctl *c, int argc, char **argv);
int	 cmd_doctor(struct ctl *c, int argc, char **argv);

#endif
