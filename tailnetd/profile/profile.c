/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "profile.h"

void
profile_forget_login(struct profile *p)
{
	p->candidate = p->unproven = 0;
	p->user_id = 0;
	p->login_name[0] = p->display_name[0] = p->profile_pic[0] = '\0';
	p->node_key_expiry = TIME_NONE;
}
