// Kll items: which code this processor runs.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/sketch/kll_items.h"

const struct kll_items *kll_items_for(enum quantile_type type, enum quantile_path path)
{
    if (path != QUANTILE_PATH_BEST && path != QUANTILE_PATH_PLAIN)
        return NULL;
    return type == QUANTILE_FLOAT ? &kll_items_float_plain : &kll_items_double_plain;
}
