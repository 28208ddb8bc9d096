// Progress: small records of fixed size.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/progress.h"

#include "common/base/cursor.h"
#include "controller/log/keys.h"

#define HOST_BYTES 28u
#define MODEL_BYTES 40u

enum status progress_read_host(struct span value, struct progress_host *out)
{
    if (value.size != HOST_BYTES)
        return ST_CORRUPT;
    *out = (struct progress_host){.watermark = load_be64(value.data),
                                  .seen_ns = load_be64(value.data + 8),
                                  .last_end = load_be64(value.data + 16),
                                  .version = load_be32(value.data + 24)};
    return ST_OK;
}

enum status progress_get_host(struct shelf *s, uint32_t model, const uint8_t *agent,
                              struct progress_host *out)
{
    struct shelf_key k = key_host(model, agent);
    struct span v;
    enum status st = shelf_get(s, SHELF_AGENT, &k, &v);
    if (st == ST_NOTFOUND) {
        *out = (struct progress_host){0};
        return ST_OK;
    }
    return st == ST_OK ? progress_read_host(v, out) : st;
}

enum status progress_put_host(struct shelf *s, uint32_t model, const uint8_t *agent,
                              const struct progress_host *h)
{
    uint8_t v[HOST_BYTES];
    store_be64(v, h->watermark);
    store_be64(v + 8, h->seen_ns);
    store_be64(v + 16, h->last_end);
    store_be32(v + 24, h->version);
    struct shelf_key k = key_host(model, agent);
    return shelf_put(s, SHELF_AGENT, &k, span_of(v, sizeof v));
}

enum status progress_get_model(struct shelf *s, uint32_t model,
                               struct progress_model *out)
{
    struct shelf_key k = key_judged(model);
    struct span v;
    enum status st = shelf_get(s, SHELF_STATE, &k, &v);
    if (st == ST_NOTFOUND) {
        *out = (struct progress_model){0};
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    if (v.size != MODEL_BYTES)
        return ST_CORRUPT;
    *out = (struct progress_model){.judged_ns = load_be64(v.data),
                                   .too_late = load_be64(v.data + 8),
                                   .carried = load_be64(v.data + 16),
                                   .unmerged = load_be64(v.data + 24),
                                   .seen_ns = load_be64(v.data + 32)};
    return ST_OK;
}

enum status progress_put_model(struct shelf *s, uint32_t model,
                               const struct progress_model *m)
{
    uint8_t v[MODEL_BYTES];
    store_be64(v, m->judged_ns);
    store_be64(v + 8, m->too_late);
    store_be64(v + 16, m->carried);
    store_be64(v + 24, m->unmerged);
    store_be64(v + 32, m->seen_ns);
    struct shelf_key k = key_judged(model);
    return shelf_put(s, SHELF_STATE, &k, span_of(v, sizeof v));
}

enum status progress_reached(struct shelf *s, uint32_t model, uint64_t now_ns,
                             uint64_t patience_ns, uint64_t end_ns, bool *out)
{
    struct shelf_key prefix = key_hosts(model);
    struct shelf_walk w;
    struct span v;
    enum status st;
    *out = true;
    shelf_walk_init(&w, s, SHELF_AGENT, &prefix);
    while (*out && (st = shelf_walk_next(&w, NULL, &v)) == ST_OK) {
        struct progress_host h;
        ST_TRY(progress_read_host(v, &h));
        bool is_live = now_ns - h.seen_ns < patience_ns;
        *out = !is_live || h.watermark >= end_ns;
    }
    return !*out || st == ST_EMPTY ? ST_OK : st;
}
