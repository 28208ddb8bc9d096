// Kll items: floats.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_items.h"

#include <math.h>
#include <string.h>

#include "common/base/span.h"

#define ITEM float
#define ITEM_NAME kll_items_float
#define ITEM_LOAD load_le_f32
#define ITEM_STORE store_le_f32

#include "common/sketch/kll_items_template.h"
