// Kll lanes: floats in portable C, one lane after another.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_lanes.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define ITEM float
#define ITEM_MAX INFINITY
#define KEY int32_t
#define KEY_MAX INT32_MAX
#define LANES 8
#define LANES_NAME kll_lanes_float_plain
#define TARGET
#define VEC_ITEMS 1
#include "common/sketch/kll_portable_template.h"
#include "common/sketch/kll_lanes_template.h"
