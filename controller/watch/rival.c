// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/rival.h"

#include "common/base/mem.h"
#include "common/sketch/profile.h"
#include "controller/log/blob.h"
#include "controller/log/judged.h"
#include "controller/log/keys.h"
#include "controller/log/names.h"
#include "proto/messages/window.h"

struct rival {
    uint8_t *memory; // of the pool
    struct pool pool;
    struct profile *profile[JUDGED_FEATURES_MAX];
    struct drift_feature feature[JUDGED_FEATURES_MAX];
};

enum status rival_open(struct rival **out)
{
    struct rival *r = MEM_NEW(struct rival);
    if (!r)
        return ST_NOMEM;
    r->memory = mem_zero(1, MESSAGE_POOL_BYTES);
    if (!r->memory) {
        rival_close(r);
        return ST_NOMEM;
    }
    pool_init(&r->pool, r->memory, MESSAGE_POOL_BYTES);
    *out = r;
    return ST_OK;
}

void rival_close(struct rival *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < JUDGED_FEATURES_MAX; i++)
        profile_close(r->profile[i]);
    mem_free(r->memory);
    mem_free(r);
}

static enum status fill(struct rival *r, uint32_t i, const struct window_feature *f)
{
    if (!r->profile[i]) {
        struct profile_options o = {
            .kind = PROFILE_NUMERIC, .width = GRID_F64, .seed = i + 1};
        ST_TRY(profile_open(&o, NULL, &r->profile[i]));
    }
    ST_TRY(profile_decode(r->profile[i], f->profile));
    r->feature[i] = (struct drift_feature){
        .name = f->name, .role = f->role, .kind = f->kind, .profile = r->profile[i]};
    return ST_OK;
}

enum status rival_window(struct rival *r, struct shelf *s, uint32_t model,
                         uint32_t version, uint64_t start_ns, uint64_t end_ns,
                         struct drift_window *out)
{
    uint32_t series;
    struct blob blob;
    struct span message;
    struct window w;
    ST_TRY(names_series(s, model, version, NULL, &series));
    struct shelf_key key = key_window(series, KEY_RAW, start_ns, 0);
    ST_TRY(blob_get(s, &key, &blob));
    if (blob.start != start_ns || blob.end != end_ns || blob.rows == 0)
        return ST_NOTFOUND;
    ST_TRY(blob_message(&blob, &message));
    pool_clear(&r->pool);
    ST_TRY(message_decode(&window_message, message, &r->pool, &w));
    if (w.features > JUDGED_FEATURES_MAX)
        return ST_CORRUPT;
    for (uint32_t i = 0; i < w.features; i++)
        ST_TRY(fill(r, i, &w.feature[i]));
    *out = (struct drift_window){
        .start = w.start, .end = w.end, .features = w.features, .feature = r->feature};
    return ST_OK;
}
