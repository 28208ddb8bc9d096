// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/share.h"

#include <math.h>

#include "common/base/span.h"
#include "common/drift/budget.h"
#include "controller/log/keys.h"

#define TAG 'f'

enum status share_models(struct shelf *s, uint32_t *models)
{
    struct shelf_key key = key_state(TAG, 0);
    struct span v;
    enum status st = shelf_get(s, SHELF_STATE, &key, &v);
    *models = st == ST_OK && v.size == 4 ? load_be32(v.data) : 0;
    return st == ST_NOTFOUND ? ST_OK : st;
}

enum status share_count(struct shelf *s, uint32_t model, uint32_t *models)
{
    struct shelf_key key = key_state(TAG, model), all = key_state(TAG, 0);
    struct span v;
    uint8_t count[4], mark = 1;
    ST_TRY(share_models(s, models));
    enum status st = shelf_get(s, SHELF_STATE, &key, &v);
    if (st != ST_NOTFOUND)
        return st;
    store_be32(count, ++*models);
    ST_TRY(shelf_put(s, SHELF_STATE, &key, span_of(&mark, 1)));
    return shelf_put(s, SHELF_STATE, &all, span_of(count, sizeof count));
}

double share_level(double pages_per_week, uint32_t models, uint64_t window_ns,
                   double least)
{
    double fleet = 1;
    if (window_ns == 0)
        return 0;
    while (fleet < models)
        fleet *= 2;
    return fmax(budget_level(pages_per_week, 1 / fleet, window_ns), least);
}
