/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "accounts.h"
#include "log.h"

#define ONE_ID "two of _tailnetd, _tailnetd_auth, _tailnetd_map, _tailnetd_res and control-group are one, or root: "

static int
account(const char *name, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL) {
		log_errorx("the account %s is missing" CONFIG_NO_ACCOUNTS, name);
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

static int
resolver_group(gid_t *gid)
{
	const struct group *gr = getgrnam("_tailnetd_res");

	if (gr == NULL) {
		log_errorx("the group _tailnetd_res is missing: run `make install-users`, or install "
			   "contrib/sysusers.d/tailnetd.conf");
		return -1;
	}
	*gid = gr->gr_gid;
	return 0;
}

/* Two accounts that are one, or root, are no wall: 0, or -1 with the reason logged unless best_effort. */
static int
accounts_differ(const struct config *cfg, const struct ids *ids)
{
	const uid_t uids[] = { ids->auth_uid, ids->map_uid, ids->res_uid };
	const gid_t gids[] = { ids->auth_gid, ids->map_gid, ids->res_gid };
	size_t i, k;

	for (i = 0; i < 3; i++) {
		if (uids[i] == 0 || gids[i] == 0 || gids[i] == ids->control_gid)
			goto same;
		for (k = 0; k < i; k++)
			if (uids[i] == uids[k] || gids[i] == gids[k])
				goto same;
	}
	return 0;
same:
	if (cfg->best_effort) {
		log_warnx(ONE_ID "separate users are a part of the sandbox");
		return 0;
	}
	log_errorx(ONE_ID "give each its own, or put `sandbox best-effort` into the configuration");
	return -1;
}

/* The socket's directory and mode admit the group only. */
static int
in_control_group(const struct ids *ids, const struct passwd *pw)
{
	gid_t groups[256];
	int n = sizeof(groups) / sizeof(groups[0]), i;

	if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) == -1)
		return 1; /* more groups than we can look at: perhaps */
	for (i = 0; i < n; i++)
		if (groups[i] == ids->control_gid)
			return 1;
	return 0;
}

int
accounts_operator(const struct config *cfg, int root, struct ids *ids, char *err, size_t errsize)
{
	const char *name = cfg->control_operator, *group = cfg->control_group;
	const struct passwd *pw = NULL;

	if (name[0] != '\0' && (pw = getpwnam(name)) == NULL) {
		snprintf(err, errsize, "control-operator: there is no user %s", name);
		return -1;
	}
	ids->has_operator = pw != NULL;
	ids->operator_outside = 0;
	if (pw == NULL)
		return 0;
	ids->operator_uid = pw->pw_uid;
	ids->operator_outside = root && !in_control_group(ids, pw);
	if (ids->operator_outside)
		log_warnx("control-operator %s is not in the group %s, so the control socket is out of reach: "
			  "`usermod " USERMOD_APPEND " %s %s`",
		    name, group, group, name);
	return 0;
}

int
accounts_find(const struct config *cfg, int root, struct ids *ids)
{
	char err[400];

	if (root &&
	    (account("_tailnetd_auth", &ids->auth_uid, &ids->auth_gid) == -1 ||
		account("_tailnetd_map", &ids->map_uid, &ids->map_gid) == -1 ||
		account("_tailnetd", &ids->res_uid, &ids->own_gid) == -1 || resolver_group(&ids->res_gid) == -1))
		return -1;
	if (config_find_group(cfg, &ids->control_gid) == -1) {
		log_errorx("control-group: there is no group %s", cfg->control_group);
		return -1;
	}
	if (root && accounts_differ(cfg, ids) == -1)
		return -1;
	if (accounts_operator(cfg, root, ids, err, sizeof(err)) == 0)
		return 0;
	log_errorx("%s", err);
	return -1;
}
