/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifdef __linux__
#include "sandbox_bpf.h"
#include "sandbox_linux.h"

#ifdef SANDBOX_TRACE
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char *process_name;

static size_t
append(char *line, size_t len, size_t max, const char *s)
{
	while (*s != '\0' && len < max)
		line[len++] = *s++;
	return len;
}

static size_t
append_number(char *line, size_t len, size_t max, unsigned long n)
{
	char digits[24];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	return append(line, len, max, digits + i);
}

/* Only write(2) and _exit(2): anything may be going on (lldpd 1c91e28). */
static void
on_sigsys(int sig, siginfo_t *si, void *context)
{
	const char *name = sbx_call_name((enum sbx_arch)sbx_this_arch(), si->si_syscall);
	char line[160];
	size_t n = 0;

	(void)context;
	n = append(line, n, sizeof(line) - 1, process_name);
	n = append(line, n, sizeof(line) - 1, ": sandbox: refused system call ");
	n = append_number(line, n, sizeof(line) - 1, (unsigned long)(unsigned)si->si_syscall);
	n = append(line, n, sizeof(line) - 1, " (");
	n = append(line, n, sizeof(line) - 1, name != NULL ? name : "not in our table");
	n = append(line, n, sizeof(line) - 1, ")");
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) == -1) {
		/* without a reader the exit code still reports it */
	}
	_exit(128 + sig);
}

int
sandbox_trace_begin(const char *name)
{
	struct sigaction sa;

	process_name = name;
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_sigsys;
	sa.sa_flags = SA_SIGINFO;
	(void)sigaction(SIGSYS, &sa, NULL);
	return 1;
}
#else
int
sandbox_trace_begin(const char *name)
{
	(void)name;
	return 0;
}
#endif
#endif
