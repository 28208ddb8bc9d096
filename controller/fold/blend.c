// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/blend.h"

#include <string.h>

#include "common/sketch/profile.h"
#include "controller/fold/pending.h"
#include "controller/log/blob.h"

static void clear(struct blend *b)
{
    for (uint32_t i = 0; i < BLEND_SETS; i++) {
        for (uint32_t k = 0; k < b->features[i]; k++)
            profile_close(b->feature[i][k].profile);
        b->features[i] = 0;
    }
    profile_close(b->read);
    b->read = NULL;
}

void blend_begin(struct blend *b, uint64_t salt)
{
    clear(b);
    b->salt = salt;
    b->unmerged = 0;
}

void blend_fini(struct blend *b)
{
    clear(b);
}

// A fresh one each time: its coins depend on the salt alone, not on what this process
// has merged before.
static enum status open_profile(struct blend *b, uint32_t coin, struct profile **out)
{
    struct profile_options o = {
        .kind = PROFILE_NUMERIC, .width = GRID_F64, .seed = b->salt * 1000003u + coin};
    return profile_open(&o, NULL, out);
}

// Where the name stands in a set, or would.
static uint32_t place_of(const struct blend *b, uint32_t set, struct span name,
                         bool *found)
{
    const struct blend_feature *f = b->feature[set];
    uint32_t low = 0, high = b->features[set];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = span_compare(f[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

static enum status insert(struct blend *b, uint32_t set, uint32_t at,
                          const struct blob_feature *f)
{
    uint32_t n = b->features[set];
    if (n == WINDOW_FEATURES_MAX)
        return ST_CONFLICT;
    struct blend_feature *row = b->feature[set] + at;
    struct blend_feature fresh = {.name = f->name, .role = f->role, .kind = f->kind};
    ST_TRY(open_profile(b, set * WINDOW_FEATURES_MAX + n, &fresh.profile));
    memmove(row + 1, row, (n - at) * sizeof *row);
    *row = fresh;
    b->features[set]++;
    return profile_merge(row->profile, b->read);
}

static enum status add_feature(struct blend *b, const struct blob_feature *f,
                               uint32_t hint)
{
    ST_TRY(pending_decode(b->read, f->profile));
    for (uint32_t set = 0; set < BLEND_SETS; set++) {
        struct blend_feature *row = b->feature[set];
        // Windows of one model mostly have the same features in the same places.
        bool found = hint < b->features[set] && span_equal(row[hint].name, f->name);
        uint32_t at = found ? hint : place_of(b, set, f->name, &found);
        if (!found)
            return insert(b, set, at, f);
        enum status st = row[at].kind == f->kind
                             ? profile_merge(row[at].profile, b->read)
                             : ST_CONFLICT;
        if (st != ST_CONFLICT)
            return st;
    }
    return ST_CONFLICT;
}

enum status blend_add(struct blend *b, const struct blob *blob)
{
    if (!b->read)
        ST_TRY(open_profile(b, BLEND_SETS * WINDOW_FEATURES_MAX, &b->read));
    for (uint32_t i = 0; i < blob->features; i++) {
        struct blob_feature f;
        enum status st = blob_feature(blob, i, &f);
        if (st == ST_OK)
            st = add_feature(b, &f, i);
        if (st == ST_NOMEM)
            return st;
        b->unmerged += st != ST_OK;
    }
    return ST_OK;
}
