// Kll items: doubles.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_items.h"

#include <math.h>
#include <string.h>

#include "common/base/span.h"

#define ITEM double
#define ITEM_NAME kll_items_double
#define ITEM_LOAD load_le_f64
#define ITEM_STORE store_le_f64

#include "common/sketch/kll_items_template.h"
