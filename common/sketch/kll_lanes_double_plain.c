// Kll lanes: doubles in portable C, one lane after another.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_lanes.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define ITEM double
#define ITEM_MAX INFINITY
#define KEY int64_t
#define KEY_MAX INT64_MAX
#define LANES 4
#define LANES_NAME kll_lanes_double_plain
#define TARGET
#define VEC_ITEMS 1
#include "common/sketch/kll_portable_template.h"
#include "common/sketch/kll_lanes_template.h"
