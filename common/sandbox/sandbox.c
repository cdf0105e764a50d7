/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "sandbox_linux.h"

#include <stdlib.h>
#include <string.h>

#ifdef TEST_ESCAPE
unsigned sandbox_skip;
#endif

const char *
sandbox_layer_name(enum sandbox_layer bit)
{
	static const char *const names[SBX_NLAYERS] = { "uid", "chroot", "no-new-privs", "rlimits", "undumpable",
		"pdeathsig", "capabilities", "landlock", "seccomp", "pledge", "unveil" };
	unsigned i;

	for (i = 0; i < SBX_NLAYERS; i++)
		if ((unsigned)bit == 1u << i)
			return names[i];
	return "?";
}

/* The text behind "Name:" at the start of a line, or NULL. */
static const char *
field(const char *text, const char *name)
{
	size_t n = strlen(name);
	const char *p;

	for (p = text; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, n) == 0 && p[n] == ':')
			return p + n + 1;
	}
	return NULL;
}

static int
number(const char *text, const char *name, int base, uint64_t *out)
{
	const char *p = field(text, name);
	char *end;

	if (p == NULL)
		return -1;
	*out = strtoull(p, &end, base);
	return end != p ? 0 : -1;
}

static void
set_layer(unsigned *layers, enum sandbox_layer bit, int on)
{
	*layers = on ? *layers | (unsigned)bit : *layers & ~(unsigned)bit;
}

/* "Uid:" has real, effective, saved and file system id: own means all the same and not root. */
static int
is_own_uid(const char *text)
{
	const char *p = field(text, "Uid");
	unsigned long id[4];
	char *end;
	int i;

	for (i = 0; i < 4; i++, p = end) {
		if (p == NULL)
			return 0;
		id[i] = strtoul(p, &end, 10);
		if (end == p || id[i] == 0 || id[i] != id[0])
			return 0;
	}
	return 1;
}

int
sandbox_parse_status(const char *bytes, size_t n, unsigned *layers)
{
	uint64_t nnp, seccomp, prm, eff, inh, bnd;
	char text[8192];
	unsigned set = *layers;

	if (n >= sizeof(text))
		n = sizeof(text) - 1;
	memcpy(text, bytes, n);
	text[n] = '\0';
	if (number(text, "NoNewPrivs", 10, &nnp) == -1 || number(text, "Seccomp", 10, &seccomp) == -1 ||
	    number(text, "CapPrm", 16, &prm) == -1 || number(text, "CapEff", 16, &eff) == -1 ||
	    number(text, "CapInh", 16, &inh) == -1 || number(text, "CapBnd", 16, &bnd) == -1)
		return -1;
	set_layer(&set, SBX_NNP, nnp == 1);
	set_layer(&set, SBX_SECCOMP, seccomp == 2);
	/* A process of an unprivileged daemon has its own uid too, but not by our doing: only ever taken away. */
	if (!is_own_uid(text))
		set_layer(&set, SBX_UID, 0);
	set_layer(&set, SBX_CAPS,
	    ((prm | eff | inh | bnd) & ~SANDBOX_PARENT_CAPS) == 0 && (!is_own_uid(text) || (prm | eff | inh) == 0));
	*layers = set;
	return 0;
}

#ifdef SANITIZED
/* Children have no environment.  Leak detection needs ptrace; ours must work inside the sandbox (security.md E11). */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=1:allow_user_segv_handler=0:handle_abort=0";
}
#endif
