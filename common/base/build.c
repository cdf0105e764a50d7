/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "build.h"
#include "build_id.h"

const char build_id[BUILD_ID_LEN + 1] = BUILD_ID;
const char build_options[] = BUILD_OPTIONS;
