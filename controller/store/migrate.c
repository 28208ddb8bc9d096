// Migrate: one step for each schema, walked from the stored one to ours.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/store/migrate.h"

#include <string.h>

#include "controller/log/keys.h"
#include "controller/store/store.h"

// 1 -> 2: a model's progress knows when it was judged last. Unknown is 0, as for a
// model that has never been.
#define PROGRESS_BYTES_1 32u
#define PROGRESS_BYTES_2 40u

static enum status progress_knows_when(struct shelf *s)
{
    struct shelf_key one = key_judged(0), prefix = shelf_key_of((char)one.bytes[0]);
    struct shelf_walk w;
    struct span value;
    enum status st;
    shelf_walk_init(&w, s, SHELF_STATE, &prefix);
    while ((st = shelf_walk_next(&w, NULL, &value)) == ST_OK) {
        uint8_t longer[PROGRESS_BYTES_2] = {0};
        struct shelf_key key = w.at;
        if (key.size != one.size || value.size != PROGRESS_BYTES_1)
            continue;
        memcpy(longer, value.data, value.size);
        ST_TRY(shelf_put(s, SHELF_STATE, &key, span_of(longer, sizeof longer)));
    }
    return st == ST_EMPTY ? ST_OK : st;
}

enum status migrate(struct shelf *s, uint32_t from)
{
    static enum status (*const step[])(struct shelf *) = {[1] = progress_knows_when};
    _Static_assert(sizeof step / sizeof step[0] == STORE_SCHEMA,
                   "each schema has a step to the next");
    if (from == 0 || from > STORE_SCHEMA)
        return ST_CORRUPT;
    for (; from < STORE_SCHEMA; from++)
        ST_TRY(step[from](s));
    return ST_OK;
}
